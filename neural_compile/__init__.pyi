# The stable names and the module that holds each; kept by hand.

from .assembly.programs import (
    INSTRUCTIONS as INSTRUCTIONS,
    NOWHERE as NOWHERE,
    InputError as InputError,
    Instruction as Instruction,
    Line as Line,
    Program as Program,
)
from .assembly.parsing import (
    ProgramError as ProgramError,
)
from .assembly.sketches import (
    Sketch as Sketch,
    parse as parse,
)
from .assembly.execution import (
    Execution as Execution,
    Trace as Trace,
    execute as execute,
)
from .assembly.tasks import (
    Examples as Examples,
    Task as Task,
)
from .assembly.suite import (
    DEVELOPMENT as DEVELOPMENT,
    TASKS as TASKS,
)
from .assembly.suites import (
    suites as suites,
)
from .assembly.verification import (
    Clock as Clock,
    Verification as Verification,
    accept as accept,
    verify as verify,
)
from .assembly.answers import (
    Answer as Answer,
    Stopped as Stopped,
    Why as Why,
    fit_clock as fit_clock,
)
from .assembly.macros import (
    macro as macro,
)
from .assembly.expansion import (
    Forms as Forms,
    expand as expand,
    forms as forms,
)
from .compiler.controllers import (
    DEFAULT as DEFAULT,
    DIALECTS as DIALECTS,
    LITERAL as LITERAL,
    Controller as Controller,
    Dialect as Dialect,
    Machine as Machine,
    compile_program as compile_program,
    decompile as decompile,
    distributedness as distributedness,
    random_controller as random_controller,
)
from .compiler.files import (
    load as load,
    save as save,
)
from .interpreter.equations import (
    State as State,
    run as run,
    trace as trace,
)
from .loss.starts import (
    Start as Start,
)
from .loss.training import (
    Training as Training,
    noisy_adam as noisy_adam,
)
from .loss.tuning import (
    Decision as Decision,
    Look as Look,
    RetireSolved as RetireSolved,
    StopAt as StopAt,
    StopWhenSolved as StopWhenSolved,
    Tuning as Tuning,
    tune as tune,
)
from .loss.decoding import (
    Decoded as Decoded,
    Walk as Walk,
    decode as decode,
)
from .synthesis.search import (
    Candidate as Candidate,
    Progress as Progress,
    Search as Search,
)
from .synthesis.language import (
    EXTENDED as EXTENDED,
    LANGUAGE as LANGUAGE,
    TEMPLATES as TEMPLATES,
    Combinator as Combinator,
    template as template,
)
from .synthesis.expressions import (
    Expressions as Expressions,
)
from .synthesis.values import (
    Operation as Operation,
)
from .synthesis.stores import (
    Stores as Stores,
)
from .synthesis.skeletons import (
    Assembly as Assembly,
)
from .synthesis.editing import (
    Edits as Edits,
)
from .synthesis.rounds import (
    Rounds as Rounds,
)
from .synthesis.cells import (
    Cells as Cells,
)
from .synthesis.walks import (
    Walks as Walks,
)
from .synthesis.breeding import (
    Genetic as Genetic,
)
from .synthesis.spaces import (
    Synthesis as Synthesis,
    synthesize as synthesize,
)
from .synthesis.abstraction import (
    learn as learn,
)
from .synthesis.shortening import (
    Shortened as Shortened,
    shorten as shorten,
)
from .experiments.induction import (
    Induction as Induction,
)
from .experiments.induce import (
    induce as induce,
)
from .experiments.recovery import (
    Rate as Rate,
    Recovery as Recovery,
    recovery as recovery,
)
from .experiments.table1 import (
    Table as Table,
    table1 as table1,
)
from .experiments.studies import (
    study as study,
)
from .experiments.arena import (
    Arena as Arena,
    arena as arena,
)
from .experiments.adaptation import (
    Adapted as Adapted,
    adapt as adapt,
)
from .layers.reading import (
    expectation as expectation,
    log_probabilities as log_probabilities,
)
from .layers.layer import (
    Layer as Layer,
)
from .layers.lists import (
    Lists as Lists,
    draw_lists as draw_lists,
    lists_of as lists_of,
    read_idx as read_idx,
)
from .layers.learners import (
    Learning as Learning,
    Reading as Reading,
)
from .layers.courses import (
    Checkpoint as Checkpoint,
)
from .layers.explanations import (
    Joint as Joint,
)
from .layers.joint import (
    tune_jointly as tune_jointly,
)
from .layers.folds import (
    folds as folds,
)
from .layers.export import (
    jax_function as jax_function,
    python_source as python_source,
)
from .explore.explorers import (
    explore_noise as explore_noise,
    explore_run as explore_run,
)
from .explore.tunings import (
    History as History,
    explore_restarts as explore_restarts,
    explore_tuning as explore_tuning,
)
from .explore.seeing import (
    explore_joint as explore_joint,
)
from .explore.live import (
    LiveTuning as LiveTuning,
)
from .explore.playground import (
    Playground as Playground,
)
from .appendix.fast import (
    run_many as run_many,
    use_cores as use_cores,
)
