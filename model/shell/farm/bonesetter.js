// SPDX-License-Identifier: GPL-3.0-or-later
// Flamenco's job type for a shoot: range of motion to actor, takes in parts, one report. In the folder `scripts` beside the Flamenco
// Manager; `python -m model farm --for flamenco` writes jobs of it.

const JOB_TYPE = {
    label: "Bonesetter",
    description: "Solve a shoot of optical motion capture takes to skeletons",
    settings: [
        { key: "take_folder", type: "string", subtype: "dir_path", required: true, description: "The folder of the takes" },
        { key: "take_list", type: "string", subtype: "file_path", required: true,
            description: "A text file of the takes, one a line, named from the folder" },
        { key: "parts", type: "int32", required: true, default: 1, description: "How many tasks solve the takes" },
        { key: "out_folder", type: "string", subtype: "dir_path", required: true, description: "The folder for all results" },
        { key: "range_of_motion", type: "string", default: "",
            description: "The take, named from the folder and not in the list, to which the actor is fitted" },
        { key: "actor", type: "string", subtype: "file_path", default: "",
            description: "The actor, where no range of motion is given; without both each take is fitted its own" },
        { key: "marker_set", type: "string", subtype: "file_path", default: "", description: "A marker set of your own" },
        { key: "engine", type: "string", default: "bonesetter", description: "The program that solves" },
        { key: "engine_arguments", type: "string", default: "[]", visible: "hidden",
            description: "The program's first arguments, as a list in JSON" },
        { key: "options", type: "string", default: "[]", description: "Further options of `solve`, as a list in JSON" },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    const options = (settings.marker_set ? ["--layout", settings.marker_set] : []).concat(words(settings.options));
    const out = ["--out", settings.out_folder];
    let before = [];
    let actor = settings.actor;

    if (settings.range_of_motion) {
        const stem = settings.range_of_motion.replace(/^.*\//, "").replace(/(.)\.[^.]*$/, "$1");
        actor = settings.out_folder + "/" + stem + ".actor.json";
        const taken = settings.take_folder + "/" + settings.range_of_motion;
        const called = ["solve", taken].concat(out, ["--save-actor", actor, "--resume"], options);
        before = [addTask(job, "actor", called, before)];
    }

    const whose = actor ? ["--actor", actor] : [];
    const tasks = [];
    for (let part = 1; part <= settings.parts; part++) {
        const listed = ["--list", settings.take_list, "--list-folder", settings.take_folder, "--part", part + "/" + settings.parts];
        const called = ["solve"].concat(listed, out, ["--resume", "--note-failed"], whose, options);
        tasks.push(addTask(job, "takes-" + part, called, before));
    }

    addTask(job, "report", ["report", settings.out_folder].concat(out), tasks.length ? tasks : before);
}

function addTask(job, name, called, before) {
    const task = author.Task(name, "misc");
    task.addCommand(author.Command("exec", {
        exe: job.settings.engine || "bonesetter",
        args: words(job.settings.engine_arguments).concat(called),
    }));
    before.forEach(function (each) { task.addDependency(each); });
    job.addTask(task);
    return task;
}

// What a setting has of several words; one that was left out has none.
function words(setting) {
    return JSON.parse(setting || "[]");
}
