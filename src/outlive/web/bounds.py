"""Every bound of the pages, with its unit and its reason. They keep a page small whatever a run holds."""

from __future__ import annotations

from typing import Final

# Runs -------------------------------------------------------------------------------------------
RUNS_PAGE: Final = 50  # rows of one page of runs: two screens of a laptop; scrolling adds the next
SORT_RUNS: Final = 2_000  # runs read to put them in another order than the server's: 0.2 s of work
VALUES_RUNS: Final = 500  # newest runs whose types and queues are offered as values of a filter
BULK_SAMPLE: Final = 10  # runs shown of those that a batch would touch
BULK_GROWTH: Final = 1.1  # a batch is asked for again where more runs than this many times those seen match now
BULK_CHOSEN: Final = 200  # runs ticked one by one; an address with more breaks proxies
QUERY_MAX: Final = 4_000  # characters of a list filter; an address longer than this breaks proxies

HOME_ROWS: Final = 8  # rows of one part of the first page
HOME_QUEUES: Final = 20  # task queues of open runs that are asked whether a worker polls them
HOME_SCHEDULES: Final = 200  # schedules whose next start is looked at
POLLER_GONE: Final = 70.0  # seconds without a poll: a worker's poll is answered, and made again, sooner
BATCHES_PAGE: Final = 100
SCHEDULES_PAGE: Final = 500  # schedules of the list
SCHEDULE_NEXT: Final = 10  # next starts of one schedule
WORKERS_PAGE: Final = 500  # workers of the list
QUEUES_SHOWN: Final = 50  # task queues of the list: each is two calls
APPROVALS_CLOSED: Final = 30  # questions decided lately that the inbox still shows
COST_ROWS: Final = 100  # groups of costs: the dearest

NAMESPACES_PAGE: Final = 200  # namespaces asked for in one call
NAMESPACES_MAX: Final = 2_000  # namespaces listed; beyond it one is gone to by its address

# One run ----------------------------------------------------------------------------------------
HISTORY_PAGE: Final = 1_000  # events asked for in one call; servers answer fewer where they bound it lower
HISTORY_WINDOW: Final = 100  # events listed at once: each carries its details, so a page stays near 300 kB
JSON_WINDOW: Final = 20  # events of one page of the history as JSON
JSON_EVENT: Final = 20_000  # characters of one event's JSON; the rest is one link away
HISTORY_LIVE: Final = 600  # events listed at most on one live page before it stops adding to itself
FOLD_EVENTS: Final = 20_000  # events that a timeline is made of: about 0.3 s of work, given up in pages
TIMELINE_ROWS: Final = 200  # bars drawn; what is open or failed comes first, then what is newest
FIELD_DEPTH: Final = 5  # nested messages of one event that are shown
FIELDS_MAX: Final = 60  # fields of one event that are shown
FAILURE_DEPTH: Final = 20  # causes behind causes

TASK_NOTICE: Final = 3.0  # seconds that a task waits before the page says that nobody takes it
RELATIVES: Final = 500  # runs of one family, or with one workflow id, that are shown
METADATA_WAIT: Final = 2.0  # seconds that a worker gets to tell the names of its handlers
DIFF_LINES: Final = 400  # lines of each side that a comparison reads: a diff takes the square of it
MODEL_CALLS: Final = 200  # newest model calls of a run that are shown

# Payloads ---------------------------------------------------------------------------------------
PREVIEW_EVENT: Final = 2_000  # characters of a payload shown in the history; the rest is one link away
PREVIEW_RUN: Final = 16_000  # characters of a run's input and result
PREVIEW_LINE: Final = 160  # characters of a payload in one line of a list
PRETTY_BYTES: Final = 256 * 1024  # JSON up to here is parsed to be indented (3 ms); above, as it came
MARKDOWN_CHARS: Final = 100_000  # characters of Markdown that are laid out (20 ms); longer ones are text
CHAT_MESSAGES: Final = 200  # messages of a conversation that are shown
CHAT_CHARS: Final = 20_000  # characters of one part of a message
TABLE_ROWS: Final = 100  # rows of a result shown as a table
TABLE_COLUMNS: Final = 12  # columns of it: more are no table for a person
TREE_LINES: Final = 30  # lines of indented JSON that are shown as text; more are a tree
TREE_NODES: Final = 600  # lines of a tree: 60 kB of markup
TREE_DEPTH: Final = 12

# Live -------------------------------------------------------------------------------------------
HISTORY_WAIT: Final = 25.0  # seconds for one long poll: servers answer an empty one after 20
LIVE_GAP: Final = 0.4  # seconds between two updates of a page at least: a busy run is shown, not replayed
LIVE_SHARE: Final = 20  # an update is followed by a gap this many times as long as it took to make
LIVE_TICK: Final = (1.5, 15.0)  # seconds until an open run is looked at again without a new event: from, to
LIST_TICK: Final = (2.0, 15.0)  # seconds between two looks at a list: doubled from, to, while nothing changes
KEEP_ALIVE: Final = 15.0  # seconds of silence on a stream until a comment is sent, so that proxies keep it
STOP_GRACE: Final = 1.0  # seconds that answers under way get when the server stops

# Forms ------------------------------------------------------------------------------------------
FORM_BYTES: Final = 8_000_000  # bytes of one form: an input of 2 MB, each byte written as three, fits
FORM_FIELDS: Final = 2_000  # fields of one form: a page of runs to choose from, and then some
NOTICE_MAX: Final = 600  # characters of what a page says after a form was done: a cookie carries it
