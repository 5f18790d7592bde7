"""actions.py - runs a composite action's steps as GitHub's runner does, as far
as ours need it: expressions, files for outputs and summaries, and the commands
that are found in what a step prints.

    job = Job("job1", workspace, {"GITHUB_REPOSITORY": "o/r"})
    done = job.use(".github/actions/backup", {"mode": "export", "db": "app.db"})
    done.status, done.outputs, done.commands, done.log, done.summary

The rules are those of actions/runner: ActionCommand.cs, FileCommandManager.cs.
"""
import os, re, subprocess

try:
    import yaml
except ImportError:
    yaml = None

COMMANDS = {"add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice",
            "remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning"}


def unescape(text, *more):
    for hex_code, c in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
        text = text.replace(hex_code, c)
    return text


def command(line):
    """(name, properties, data) where the runner sees a command, else None"""
    found = re.match(r"\s*::([^ :]+)(?: (.*?))?::(.*)", line, re.S)
    if found and found.group(1).lower() in COMMANDS:
        pairs = (p.split("=", 1) for p in (found.group(2) or "").split(",") if "=" in p)
        return (found.group(1), {k.strip(): unescape(v, ("%3A", ":"), ("%2C", ",")) for k, v in pairs},
                unescape(found.group(3)))
    found = re.search(r"##\[([^\] ]+)[^\]]*\](.*)", line, re.S)
    if found and found.group(1).lower() in COMMANDS:
        return found.group(1), {}, found.group(2)
    return None


def outputs(path):
    """What a step wrote to its GITHUB_OUTPUT."""
    found = {}
    with open(path, encoding="utf-8", newline="") as f:
        lines = f.read().split("\n")
    while lines and lines != [""]:
        line = lines.pop(0)
        name, sign, value = re.match(r"(.*?)(<<|=)(.*)", line).groups()
        if sign == "<<":
            end = lines.index(value)
            value, lines = "\n".join(lines[:end]), lines[end + 1:]
        found[name] = value
    return found


class Done:
    """What became of an action."""

    def __init__(self):
        self.status, self.outputs, self.commands, self.log, self.summary = 0, {}, [], [], ""
        self.raw = ""

    def said(self, name):
        """The data of all commands of that name."""
        return [data for n, _, data in self.commands if n == name]


class Job:
    """A job of a workflow: a workspace, and a RUNNER_TEMP of its own."""

    def __init__(self, folder, workspace, env):
        self.folder, self.workspace = os.path.abspath(folder), os.path.abspath(workspace)
        self.temp = os.path.join(self.folder, "temp")
        os.makedirs(self.temp)
        self.env = dict(env, RUNNER_TEMP=self.temp, GITHUB_WORKSPACE=self.workspace)
        self.files = 0

    def file(self):
        self.files += 1
        path = os.path.join(self.folder, "file-%d" % self.files)
        open(path, "w").close()
        return path

    def use(self, action, inputs, token="", **kw):
        """All steps of an action, in order."""
        done = Done()
        for _ in self.steps(action, inputs, done, token, **kw):
            pass
        return done

    def steps(self, action, inputs, done, token="", path=None, env=None):
        """The same, a step at each next()."""
        action = os.path.abspath(action)
        with open(os.path.join(action, "action.yml")) as f:
            described = yaml.safe_load(f)
        unknown = set(inputs) - set(described["inputs"])
        if unknown:
            raise RuntimeError("no inputs: %s" % unknown)
        values = {"github.token": token, "github.repository": self.env.get("GITHUB_REPOSITORY", ""),
                  "github.action_repository": ""}
        for name, about in described["inputs"].items():
            values["inputs." + name] = inputs.get(name, expand(str(about.get("default", "")), values))
        process_env = dict(self.env, GITHUB_ACTION_PATH=action, HOME=os.environ["HOME"],
                           PATH=path or os.environ["PATH"], LC_ALL="C.UTF-8", TZ="UTC", **(env or {}))
        for step in described["runs"]["steps"]:
            if wanted(step.get("if", "success()"), values, done.status):
                self.step(step, values, process_env, done)
                yield step["name"]
        for name, about in described.get("outputs", {}).items():
            done.outputs[name] = expand(about["value"], values)

    def step(self, step, values, env, done):
        script, out, summary = self.file(), self.file(), self.file()
        with open(script, "w") as f:
            f.write(step["run"])
        env = dict(env, GITHUB_OUTPUT=out, GITHUB_STEP_SUMMARY=summary,
                   **{k: expand(v, values) for k, v in step.get("env", {}).items()})
        assert step["shell"] == "sh"
        p = subprocess.run(["sh", "-e", script], cwd=self.workspace, env=env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        text = p.stdout.decode("utf-8", "replace")
        done.raw += text
        for line in re.split(r"\r\n|\r|\n", text):
            found = command(line)
            done.commands.append(found) if found else done.log.append(line)
        for name, value in outputs(out).items():
            values["steps.%s.outputs.%s" % (step["id"], name)] = value
        with open(summary, encoding="utf-8") as f:
            done.summary += f.read()
        done.status = done.status or p.returncode


def value_of(name, values):
    if re.fullmatch(r"'[^']*'", name):
        return name[1:-1]
    if name.startswith("steps."):
        return values.get(name, "")
    return values[name]


def expand(text, values):
    return re.sub(r"\$\{\{\s*([\w.-]+)\s*\}\}", lambda m: value_of(m.group(1), values), text)


def wanted(condition, values, status):
    """success(), always(), and 'a == b || c == d' while all went well"""
    if condition == "always()":
        return True
    if status:
        return False
    if condition == "success()":
        return True
    return any(value_of(pair.group(1), values) == value_of(pair.group(2), values)
               for pair in (re.fullmatch(r"\s*(\S+) == (\S+)\s*", one) for one in condition.split("||")))
