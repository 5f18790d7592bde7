#!/usr/bin/env python3
"""Every workflow and action: of the form that GitHub documents, and as careful
as ours have to be.  Each rule is seen to find what it is there for."""
import copy, glob, json, os, re, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from servers import MISSING
try:
    import jsonschema, yaml
except ImportError as e:
    print("skipped: python3-yaml or python3-jsonschema is not installed: %s" % e)
    sys.exit(1 if os.environ.get("CI") else MISSING)

TOP = os.path.dirname(TESTS)
with open(os.path.join(TESTS, "support", "workflow.schema.json")) as f:
    SCHEMA = json.load(f)
with open(os.path.join(TOP, "CMakeLists.txt")) as f:
    VERSION = re.search(r"^project\(dbstow VERSION ([0-9.]+)", f.read(), re.M).group(1)


class Loader(yaml.SafeLoader):
    """'on' is a word for GitHub, and true for YAML 1.1; a key stands once."""


Loader.yaml_implicit_resolvers = {
    c: [(tag, r) for tag, r in rules if tag != "tag:yaml.org,2002:bool" or c in "tTfF"]
    for c, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def mapping(loader, node):
    keys = [loader.construct_object(k) for k, _ in node.value]
    check(len(keys) == len(set(keys)), "a key stands twice: %s" % keys)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


Loader.add_constructor("tag:yaml.org,2002:map", mapping)


def load(path):
    with open(path) as f:
        return yaml.load(f, Loader)


def wrong_form(what, kind):
    validator = jsonschema.Draft7Validator({**SCHEMA, "$ref": "#/definitions/" + kind})
    return ["%s: %s" % ("/".join(map(str, e.path)), e.message[:200]) for e in validator.iter_errors(what)]


def steps_of(w):
    if "runs" in w:
        return w["runs"]["steps"]
    return [s for j in w["jobs"].values() for s in j["steps"]]


ACTION = load(os.path.join(TOP, ".github/actions/backup/action.yml"))
NOTIFY = load(os.path.join(TOP, ".github/actions/notify/action.yml"))


def careless_step(s):
    """What is wrong with a step."""
    run, uses, given = s.get("run", ""), s.get("uses", ""), s.get("with", {})
    if "${{" in run:
        yield "an expression in a script: its value could be a program"
    if re.search(r"curl[^\n|]*\|\s*(ba)?sh", run):
        yield "runs what it downloads"
    if uses.startswith("actions/") and not re.search(r"@[0-9a-f]{40}$", uses):
        yield "not pinned: " + uses
    if uses.startswith("actions/checkout@") and given.get("persist-credentials") is not False:
        yield "leaves the token in the checkout"
    ours = re.fullmatch(r"(?:\.|<owner>/dbstow)/\.github/actions/(backup|notify)(?:@v(.*))?", uses)
    if ours:
        about = ACTION if ours.group(1) == "backup" else NOTIFY
        if set(given) - set(about["inputs"]):
            yield "unknown inputs: %s" % (set(given) - set(about["inputs"]))
        if {n for n, i in about["inputs"].items() if i.get("required")} - set(given):
            yield "missing inputs"
        if ours.group(2) not in (None, VERSION):
            yield "another version: " + uses
    elif not uses.startswith("actions/") and uses:
        yield "somebody else's: " + uses


def careless_workflow(w):
    """What is wrong with a workflow."""
    for name, job in w["jobs"].items():
        if "timeout-minutes" not in job:
            yield "%s: runs for six hours" % name
        granted = {**w["permissions"], **job.get("permissions", {})}
        for what, level in granted.items():
            if level == "write" and what in w["permissions"]:
                yield "every job may write " + what
        if "permissions" not in job and not w["permissions"]:
            yield "%s: says nothing about what it may do" % name
        pushes = any(s.get("with", {}).get("mode") in ("export", "fetch") or "gh release" in s.get("run", "") for s in job["steps"])
        if granted.get("contents") == "write" and not pushes:
            yield "%s: may write what it need not" % name
        if pushes and granted.get("contents") != "write" and not all("remote" in s["with"] for s in job["steps"] if "mode" in s.get("with", {})):
            yield "%s: may not push" % name
        if any("secrets." in str(v) for v in job.get("env", {}).values()):
            yield "%s: every step sees the secret" % name
    if "schedule" in w["on"]:
        if w["permissions"]:
            yield "every job may do something"
        if w.get("concurrency", {}).get("cancel-in-progress") is not False:
            yield "a run may cut another off"
        if "workflow_dispatch" not in w["on"]:
            yield "cannot be run by hand"
        if any(s["cron"].split()[0] in ("0", "00") for s in w["on"]["schedule"]):
            yield "at the full hour, when runs are late or left out"
        if not any("notify" in s.get("uses", "") for s in steps_of(w)):
            yield "fails without a word"


def careless(w):
    found = [problem for s in steps_of(w) for problem in careless_step(s)]
    return found + (list(careless_workflow(w)) if "jobs" in w else [])


# ---- all that there are ----
workflows = {p: load(p) for p in glob.glob(os.path.join(TOP, ".github/workflows/*.y*ml")) +
             glob.glob(os.path.join(TOP, "docs/workflows/*.y*ml"))}
listed = {p: load(p) for p in glob.glob(os.path.join(TOP, ".github/actions/*/action.yml"))}
check(len(workflows) >= 6 and len(listed) == 2, "files are missing: %s" % [*workflows, *listed])
for kind, files in (("workflow", workflows), ("action", listed)):
    for path, w in files.items():
        problems = wrong_form(w, kind) or careless(w)
        check(not problems, "%s: %s" % (os.path.relpath(path, TOP), "; ".join(problems)))

# ---- secrets come as inputs or by env, and reach the steps that need them ----
with_key = [s["name"] for s in steps_of(ACTION) if "inputs.key" in str(s.get("env"))]
check(with_key == ["Take or look at a snapshot"], "the key: %s" % with_key)
given = {m for s in steps_of(ACTION) for v in s.get("env", {}).values() for m in re.findall(r"inputs\.([a-z0-9-]+)", v)}
check(given == set(ACTION["inputs"]), "inputs that lead nowhere: %s" % (set(ACTION["inputs"]) ^ given))

# ---- each rule finds what it is there for ----
GOOD = workflows[os.path.join(TOP, "docs/workflows/weekly-fetch.yml")]
check(not wrong_form(GOOD, "workflow") and not careless(GOOD), "the good one")


def changed(path, value):
    """GOOD with another value at a path; None: without it"""
    w = copy.deepcopy(GOOD)
    at = w
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return w


JOB = ("jobs", "fetch")
for path, value, said in (
        (("on", "schedule", 0, "cron"), "7 0 * * 7", "on/schedule/0/cron"),
        (("on", "schedule", 0, "cron"), "@weekly", "on/schedule/0/cron"),
        (("permission",), {}, "'permission' was unexpected"),
        (("permissions",), None, "'permissions' is a required property"),
        (JOB + ("runs-on",), "ubuntu", "jobs/fetch/runs-on"),
        (JOB + ("permissions", "contents"), "admin", "jobs/fetch/permissions/contents"),
        (JOB + ("steps", 0, "uses"), "actions/checkout", "jobs/fetch/steps/0"),
        (JOB + ("steps", 0, "run"), "true", "jobs/fetch/steps/0"),
        (JOB + ("needs",), [], "jobs/fetch/needs")):
    problems = wrong_form(changed(path, value), "workflow")
    check(any(said in p for p in problems), "%s: %s" % (said, problems))
for path, value, said in (
        (("on", "schedule", 0, "cron"), "0 0 * * 0", "at the full hour, when runs are late or left out"),
        (("on", "workflow_dispatch"), None, "cannot be run by hand"),
        (("concurrency", "cancel-in-progress"), True, "a run may cut another off"),
        (("permissions",), {"contents": "write"}, "every job may write contents"),
        (JOB + ("permissions",), None, "fetch: says nothing about what it may do"),
        (JOB + ("permissions", "contents"), "read", "fetch: may not push"),
        (("jobs", "notify", "permissions", "contents"), "write", "notify: may write what it need not"),
        (("jobs", "notify"), None, "fails without a word"),
        (JOB + ("timeout-minutes",), None, "fetch: runs for six hours"),
        (JOB + ("env",), {"K": "${{ secrets.K }}"}, "fetch: every step sees the secret"),
        (JOB + ("steps", 0, "with", "persist-credentials"), True, "leaves the token in the checkout"),
        (JOB + ("steps", 0, "uses"), "actions/checkout@v4", "not pinned: actions/checkout@v4"),
        (JOB + ("steps", 0, "uses"), "else/thing@" + "0" * 40, "somebody else's: else/thing@" + "0" * 40),
        (JOB + ("steps", 1, "uses"), "<owner>/dbstow/.github/actions/backup@v9.0.0",
         "another version: <owner>/dbstow/.github/actions/backup@v9.0.0"),
        (JOB + ("steps", 1, "with", "modus"), "x", "unknown inputs: {'modus'}"),
        (JOB + ("steps", 1, "with", "mode"), None, "missing inputs"),
        (JOB + ("steps", 1), {"run": "echo ${{ github.event.issue.title }}"}, "an expression in a script: its value could be a program"),
        (JOB + ("steps", 1), {"run": "curl -s https://x | sh"}, "runs what it downloads")):
    check(said in careless(changed(path, value)), "%s: %s" % (said, careless(changed(path, value))))
