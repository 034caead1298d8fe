"""The texts of `autopeft help TOPIC`."""

from __future__ import annotations

EXIT_CODES = """\
0    done
1    could not do it; the message says why
2    wrong usage: an option, a file, a column or a value
3    done, but nothing satisfies the constraints
4    something is missing here: an extra, a checkpoint or a device
130  stopped by Ctrl-C; everything finished is saved

A reader that closes the pipe, as in `autopeft front | head`, is not an error.
"""

ENVIRONMENT = """\
AUTOPEFT_STUDY        the study that commands are about when none is named
AUTOPEFT_DEVICE       default of --device
AUTOPEFT_NO_PROGRESS  if set, plain lines instead of a live block
NO_COLOR              if set, no colours
TERM                  dumb: plain lines instead of a live block
COLUMNS               width of tables and help

Models and data sets from the hub are kept where Hugging Face keeps them: HF_HOME, HF_HUB_CACHE.
"""

JSON = """\
--json prints one JSON document on stdout; everything else goes to stderr. Every document names its
form in "schema", which gets a new number when a field changes its meaning or goes away.

autopeft.front/1       front: a list of trials under "front"
autopeft.trial/1       show --format json: one trial; search --json: one line per finished trial
autopeft.status/1      status
autopeft.inspect/1     inspect
autopeft.plan/1        plan: bytes under "defaults", ranks under "largest"
autopeft.confirm/1     confirm: "trials", each with "value", "error" and "front_probability"
autopeft.importance/2  importance
autopeft.list/1        list: "items", each with a "name"
autopeft.doctor/1      doctor: "checks", each with "ok" and "needed"

A trial has "objectives", each with "value" and "error" (one standard error; 0 when it is exact),
its "configuration", what was measured ("measurements") and how: "metric", "split", "rows", "seeds".
Objectives are in their own unit, which "objectives" of the document names. Measurements are plain:
parameters are counted, memory is in bytes, a score is a fraction. A number that is not finite is
null.

    autopeft front --json | jq '.front[] | [.trial, .objectives.accuracy.value]'
"""

SPACES = """\
A search space says which modules may go where, and in which sizes. `autopeft list spaces` names
those that come along; `autopeft list spaces NAME` shows one; `--space FILE.yaml` takes your own:

    name: mine
    summary: LoRA ranks by group of sites
    modules: [lora]
    groups:
      attention: [attention.query, attention.value]
    dimensions:
      lora.rank: {choice: [0, 2, 4, 8], per: [layer, group]}
      learning_rate: {float: [1.0e-4, 6.0e-3], log: true}

A dimension has one domain - choice, int, float or fraction (of the hidden width) - and is repeated
`per` model, block, layer, group or site. A size of 0 means that the module is off. `active` with
`per: layer` switches layers. `autopeft inspect MODEL` shows the sites of a model and which modules
fit there.
"""

STORAGE = """\
A study is one file, NAME.journal, in the folder in which `autopeft search` ran, or where --study
says. It holds every configuration that was tried, what was measured and how. The trained weights
of the points on the front are kept beside it.

The file is only ever added to. After Ctrl-C, a kill or a power cut the same command goes on where
it was: what is finished is kept, and what was in training runs again as it was asked. The options
that decide results may not change then; --trials, --timeout and --device may.

Reports, tables and exported configurations are made from the study; the data set is not in it.
"""

TOPICS = {
    "exit-codes": EXIT_CODES,
    "environment": ENVIRONMENT,
    "json": JSON,
    "spaces": SPACES,
    "storage": STORAGE,
}
