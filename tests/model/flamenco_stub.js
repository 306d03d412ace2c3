// SPDX-License-Identifier: GPL-3.0-or-later
// Flamenco's documented API for job types, and nothing else: compiles the job in argument 2 by the script in argument 1, prints tasks.
const fs = require("fs");
const vm = require("vm");

function strict(name, members) {
    return new Proxy(members, {
        get(target, key) {
            if (!(key in target)) {
                throw new Error(name + " has no " + String(key));
            }
            return target[key];
        },
    });
}

const made = new Map();
const author = strict("author", {
    Task(name, type) {
        const known = { name: name, type: type, commands: [], dependencies: [] };
        const task = strict("a task", {
            addCommand(command) { known.commands.push(command); },
            addDependency(other) { known.dependencies.push(made.get(other).name); },
        });
        made.set(task, known);
        return task;
    },
    Command(name, parameters) {
        return { name: name, parameters: parameters };
    },
});

const script = fs.readFileSync(process.argv[2], "utf8");
const submitted = JSON.parse(fs.readFileSync(process.argv[3], "utf8"));
const exported = vm.runInNewContext(script + "\n;({ JOB_TYPE, compileJob });", { author });
const tasks = [];
exported.compileJob(strict("the job", {
    name: submitted.name,
    settings: submitted.settings,
    addTask(task) { tasks.push(made.get(task)); },
}));
process.stdout.write(JSON.stringify({ type: exported.JOB_TYPE, tasks: tasks }));
