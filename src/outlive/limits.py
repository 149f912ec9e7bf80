"""Every bound of the server, with its unit and its reason.

Values are those of Temporal's server 1.32 unless a line says otherwise, so that code which runs here
runs there. Sizes are in bytes, durations in nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
YEAR: Final = 365 * DAY
KIB: Final = 1024
MIB: Final = 1024 * 1024

# Requests ---------------------------------------------------------------------------------------
GRPC_MESSAGE_MAX: Final = 4 * MIB  # a request above it is refused by gRPC itself
HTTP_PARAMETERS_MAX: Final = 1_000  # query parameters of one HTTP request
HTTP_GRACE_S: Final = 1.0  # seconds that HTTP calls under way get when the server stops
ID_LENGTH_MAX: Final = 1000  # bytes of any id, name, type or queue
DEPLOYMENT_NAME_MAX: Final = 480  # bytes of a deployment's name, and of a build id: both fit into one id
PAGE_SIZE_MAX: Final = 1000  # rows of one visibility page
ARCHIVE_PAGE_MAX: Final = 10_000  # rows of one page of an archive
HISTORY_PAGE_EVENTS: Final = 256  # events of one page of a history that a client reads
WORKER_PAGE_EVENTS: Final = 1_000  # events of one page of a history that a worker is given
HISTORY_PAGE_BYTES: Final = 3 * MIB  # keeps a page below GRPC_MESSAGE_MAX with room for the rest
SEARCH_ATTRIBUTE_KEYS_MAX: Final = 100
SEARCH_ATTRIBUTE_VALUE_MAX: Final = 2 * KIB  # of one encoded value
SEARCH_ATTRIBUTES_TOTAL_MAX: Final = 40 * KIB
USER_METADATA_SUMMARY_MAX: Final = 400
USER_METADATA_DETAILS_MAX: Final = 20_000
FAIRNESS_KEY_MAX: Final = 64
CALLBACK_URL_MAX: Final = 1000  # bytes
CALLBACK_HEADER_MAX: Final = 8 * KIB  # of all names and values of one callback's headers
LINKS_MAX: Final = 10  # of one request
LINK_SIZE_MAX: Final = 4_000
TIMEOUT_MAX: Final = 100 * YEAR  # longer time-outs are cut to it
TIME_MAX: Final = (1 << 63) - 1  # the last moment that the store can hold, in the year 2262
VIRTUAL_TIME_MAX: Final = TIME_MAX - 110 * YEAR  # no time is skipped beyond: time-outs from then on must fit

# Polls ------------------------------------------------------------------------------------------
LONG_POLL: Final = 60 * SECOND  # an empty task poll is answered after it
UPDATE_LONG_POLL: Final = 20 * SECOND  # a wait for an update's stage is answered after it
HISTORY_LONG_POLL: Final = 20 * SECOND  # a wait for new events is answered after it
POLL_ANSWER_MARGIN: Final = 1 * SECOND  # an empty answer leaves this long before the client's deadline
POLL_DEADLINE_MIN: Final = 2 * SECOND  # a task poll with less time than this is refused
POLLER_SEEN: Final = 5 * MINUTE  # a poller is listed for this long after its last poll
STICKY_POLLER_GONE: Final = 10 * SECOND  # a sticky queue unpolled for so long takes no more tasks
QUERY_POLLER_GONE: Final = 20 * SECOND  # a query with no poller seen for so long fails at once
POLLERS_LISTED_MAX: Final = 1_000  # of one queue, kept for descriptions: the latest ones
SHUT_DOWN_REMEMBERED: Final = 30 * SECOND  # a poll of a worker that shut down so lately is answered at once
SHUT_DOWN_REMEMBERED_MAX: Final = 10_000  # of those workers
SCALE_DOWN_WAIT: Final = 1 * SECOND  # a poll that waited so long for a task was one too many
SCALE_UP_BACKLOG_AGE: Final = 200 * MS  # tasks that wait longer want another poller
SCALE_UP_ADD_RATIO: Final = 1.2  # tasks that come so much faster than they go want one too
SCALE_DECISIONS_PER_POLLER: Final = 10.0  # a second, so that pollers do not pile up

# Workers ------------------------------------------------------------------------------------------
WORKER_FORGOTTEN: Final = 5 * MINUTE  # without a heartbeat; workers send one or two a minute
WORKERS_MAX: Final = 10_000  # known of one namespace, a kilobyte or two each; the longest unheard of go first
WORKER_HEARTBEAT_MAX: Final = 16 * KIB  # of one heartbeat; those of SDKs have one kilobyte

# Task queues --------------------------------------------------------------------------------------
QUEUE_RATE_MAX: Final = 4_000.0  # tasks a second, as told: Temporal's four partitions; no process here reaches it
QUEUES_SWEPT_EVERY: Final = 1_024  # new queues; then those that workers have left are forgotten
PRIORITY_LEVELS: Final = 5  # matching.priorityLevels
RANKS_CACHED: Final = 4_096  # decoded priorities: few are in use at a time
RATE_BUCKET: Final = 5 * SECOND  # rates of a queue are counted in steps of this ...
RATE_BUCKETS: Final = 7  # ... over six full ones and the one under way
RATE_LIMITED_SHOWN: Final = 30 * SECOND  # rate_limiting_active is told for so long
FAIRNESS_WEIGHT_MIN: Final = 0.001  # lighter keys count as this, so that none is starved
FAIRNESS_WEIGHT_MAX: Final = 1_000.0  # heavier ones as this, so that none starves the others
FAIRNESS_KEYS_PACED: Final = 2_000  # keys of one queue whose rate limit is kept; the least recent go first
FAIRNESS_LANES_SPARE: Final = 1_024  # fairness keys remembered that have nothing waiting
BUILD_IDS_REACHED_MAX: Final = 5  # of one question for their reachability
FAIRNESS_OVERRIDES_MAX: Final = 1_000  # weights that one queue's settings may override

# Workflow tasks -----------------------------------------------------------------------------------
WORKFLOW_TASK_TIMEOUT_DEFAULT: Final = 10 * SECOND
WORKFLOW_TASK_TIMEOUT_MAX: Final = 120 * SECOND
WORKFLOW_TASK_HEARTBEAT_TOTAL: Final = 30 * MINUTE  # of one task kept alive by empty completions
WORKFLOW_TASK_RETRY_FIRST_ATTEMPTS: Final = 3  # up to here a failing task is given its plain time-out
WORKFLOW_TASK_RETRY_BACKOFF_INITIAL: Final = 5 * SECOND  # then it grows from this ...
WORKFLOW_TASK_RETRY_BACKOFF_MAX: Final = 10 * MINUTE  # ... to this
COMPLETION_PAGES_BYTES: Final = 64 * MIB  # of completions in pages whose final page has not come
SPECULATIVE_SCHEDULE_TO_START: Final = 5 * SECOND  # a speculative task becomes a normal one after it
QUERY_FAILING_ATTEMPTS: Final = 3  # a query of a workflow whose task failed so often is refused
REPORTED_PROBLEMS_AFTER: Final = 5  # failures in a row, then TemporalReportedProblems says so
RESET_POINTS_MAX: Final = 20  # kept of a chain of runs

# Defaults of a retry policy ------------------------------------------------------------------------
RETRY_INITIAL_INTERVAL: Final = 1 * SECOND
RETRY_BACKOFF: Final = 2.0
RETRY_MAXIMUM_FACTOR: Final = 100  # maximum interval = initial interval x this
LAST_FAILURE_MAX: Final = 4 * KIB  # of a failure kept between attempts; longer ones are cut

# Runs ----------------------------------------------------------------------------------------------
NEW_RUN_INTERVAL_MIN: Final = 1 * SECOND  # between the starts of a run and of the one it continues as
RESET_READ_EVENTS: Final = 1_000  # of a history that a reset reads, between which other work goes on
RETENTION_DEFAULT: Final = 30 * DAY  # ours: Temporal's development server forgets after 24 hours


@dataclass(frozen=True, slots=True)
class ExecutionLimits:
    """What one execution may use. Dynamic configuration may change each (key in the comment)."""

    payload_size_max: int = 2 * MIB  # limit.blobSize.error
    memo_size_max: int = 2 * MIB  # limit.memoSize.error
    history_events_max: int = 51_200  # limit.historyCount.error: then the run is terminated
    history_size_max: int = 50 * MIB  # limit.historySize.error: then the run is terminated
    suggest_events: int = 4_096  # limit.historyCount.suggestContinueAsNew
    suggest_size: int = 4 * MIB  # limit.historySize.suggestContinueAsNew
    pending_activities_max: int = 2_000  # limit.numPendingActivities.error
    pending_children_max: int = 2_000  # limit.numPendingChildExecutions.error
    pending_signals_max: int = 2_000  # limit.numPendingSignals.error
    pending_cancels_max: int = 2_000  # limit.numPendingCancelRequests.error
    signals_max: int = 10_000  # history.maximumSignalsPerExecution
    buffered_events_max: int = 100  # history.maximumBufferedEventsBatch
    buffered_size_max: int = 2 * MIB  # history.maximumBufferedEventsSizeInBytes
    buffered_queries_max: int = 1  # history.MaxBufferedQueryCount
    updates_in_flight_max: int = 10  # history.maxInFlightUpdates
    updates_total_max: int = 2_000  # history.maxTotalUpdates
    callbacks_max: int = 2_000  # callback.maxPerExecution: completion callbacks
    time_skips_max: int = 200  # frontend.WorkflowTimeSkippingMaxSkipPerSession, where a client asks for no other


# Worker deployments -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeploymentLimits:
    """Of worker deployments. Dynamic configuration may change each (key in the comment)."""

    deployments_max: int = 100  # matching.maxDeployments: of a namespace
    versions_max: int = 100  # matching.maxVersionsInDeployment
    queues_max: int = 100  # matching.maxTaskQueuesInDeploymentVersion
    versions_in_queue_max: int = 200  # matching.maxVersionsInTaskQueue: of all deployments
    drainage_grace: int = 3 * MINUTE  # matching.wv.VersionDrainageStatusVisibilityGracePeriod: before the first look
    drainage_refresh: int = 3 * MINUTE  # matching.wv.VersionDrainageStatusRefreshInterval: between looks


# Batch operations -------------------------------------------------------------------------------------
BATCHES_AT_ONCE: Final = 10  # running in one namespace; ours: Temporal's allows one
BATCH_RATE: Final = 1_000.0  # operations a second of a batch, at most; ours: Temporal's does 50
BATCH_PAGE: Final = 200  # targets between two writings of a batch's progress
BATCH_ATTEMPTS: Final = 3  # of one target, before it counts as failed

# Schedules ------------------------------------------------------------------------------------------
SCHEDULE_CATCHUP_DEFAULT: Final = 365 * DAY  # an action so late is still taken
SCHEDULE_CATCHUP_MIN: Final = 10 * SECOND  # a smaller window is taken for this
SCHEDULE_BUFFER_MAX: Final = 1_000  # actions of one schedule that wait their turn; more are dropped and counted
SCHEDULE_BACKFILLS_MAX: Final = 1_000  # backfills of one schedule under way; more are dropped and counted
SCHEDULE_TIMES_AT_ONCE: Final = 100  # times of one schedule that one step takes up: others get their turn between
SCHEDULE_BACKFILL_PAUSE: Final = 1 * SECOND  # between two steps of a backfill (Temporal takes up 10 times in each)
SCHEDULE_RECENT: Final = 10  # last actions that a description shows ...
SCHEDULE_UPCOMING: Final = 10  # ... and next ones
SCHEDULE_RECENT_LISTED: Final = 5  # the same in lists
SCHEDULE_UPCOMING_LISTED: Final = 5
SCHEDULE_SPEC_LISTED: Final = 10  # calendars, exclusions and intervals of a spec that lists show
SCHEDULE_RETENTION: Final = 7 * DAY  # a schedule with nothing left to do is forgotten after it
SCHEDULE_NOTES_MAX: Final = 1_000  # bytes of the note of a pause
SCHEDULE_REQUESTS_KEPT: Final = 20  # ids of the last requests of a schedule: their repetition changes nothing
SCHEDULE_STEPS_AT_ONCE: Final = 5  # schedules looked at in one turn of the loop
SCHEDULE_SPECS_COMPILED: Final = 4_000  # compiled specs kept; the least recently used go first


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one namespace may ask of the server. Dynamic configuration may change each (key in the comment)."""

    namespace_rps: int = 2_400  # frontend.namespaceRPS: requests a second
    namespace_burst_ratio: float = 2.0  # frontend.namespaceBurstRatio: seconds' worth that may come at once
    visibility_rps: int = 100  # frontend.namespaceRPS.visibility: as Temporal's development server has it
    visibility_burst_ratio: float = 1.0  # frontend.namespaceBurstRatio.visibility
    # frontend.namespaceCount: that wait at once, of each method. Ours: Temporal's is 1,200 for each of a
    # cluster's machines; there is one here, and a thousand workers with SDKs' defaults make 5,000 polls.
    long_polls_max: int = 10_000


# Fairness between namespaces --------------------------------------------------------------------------
REQUESTS_A_TURN: Final = 8  # of one namespace begun in one turn of the loop, while several make requests
SHARED_SINCE: Final = 1 * SECOND  # a namespace that was the only one for so long counts as alone
VISIBILITY_WAITING_MAX: Final = 200  # reads of the visibility store that wait, of one namespace

# The engine's own -----------------------------------------------------------------------------------
STATE_CACHE_MAX: Final = 4_000  # loaded executions kept; the least recently used go first
COMMIT_GATHER: Final = 1 * MS  # between commits that several share: fewer and fuller ones cost less
TAIL_EVENTS_MAX: Final = 256  # last events of a loaded execution kept as bytes, to feed workflow tasks
TAIL_BYTES_MAX: Final = 64 * KIB  # of those events' bytes
GARBAGE_YOUNG: Final = 50_000  # new objects between two searches for cyclic garbage; Python's own number is 700
TIMER_WINDOW: Final = 10_000  # soonest wake-ups held in memory; the rest stay in the file
REROUTED_AT_ONCE: Final = 200  # waiting offers sent to another version in one turn of the loop
CALLBACKS_AT_ONCE: Final = 8  # calls to one address under way; further ones wait for them
UPKEEP_PORTION: Final = 100  # runs of a namespace looked after at once, between which other work goes on
CONFIG_FILE_POLL: Final = 5 * SECOND  # between looks whether the file of the dynamic configuration has changed
SHUTDOWN_GRACE: Final = 4 * SECOND  # from SIGTERM to the end: calls under way get this long

# The ledger's own -----------------------------------------------------------------------------------
WINDOW_MARGIN: Final = 100  # a use leaves its window 1/100 later: clocks and networks are not exact
PACE_BURST: Final = 25  # per cent of a window's limit that may be used at once ...
PACE: Final = 105  # ... and then, per cent of the limit per window: a little more than what can be kept up
LEASE_MIN: Final = 1 * SECOND
LEASE_MAX: Final = 24 * HOUR  # longer calls renew
LEASE_AFTER_RESTART: Final = 30 * SECOND  # a holder gets this long to be heard of again after a restart
TURN_HELD: Final = 5 * SECOND  # a turn waits so long for a caller that is away; later ones are passed over
TURN_HELD_SHARE: Final = 48  # ... nor longer than this part of a quota's window
CLAIM_GRACE: Final = 15 * SECOND  # a caller may come this much later than it was told
TICKET_KEPT: Final = 10 * MINUTE  # a place is kept this long after its caller should have come back
RETRY_AFTER_MAX: Final = 60 * SECOND  # the longest time that a caller is told to stay away
PRIORITY_STEP: Final = 30 * SECOND  # a call goes before those of one priority more that came so much earlier
PROVIDER_BACKOFF: Final = 1 * SECOND  # after a 429 that says nothing; doubled for each one that follows ...
PROVIDER_BACKOFF_MAX: Final = 60 * SECOND  # ... up to this
PROVIDER_BLOCK_MAX: Final = 1 * HOUR  # the longest time that a provider's word is taken for
FORECAST_ENTRIES: Final = 1_000  # uses that a forecast walks; the rest is taken as even
LEDGER_TAKEOVER: Final = 10 * SECOND  # how long a ledger waits for another to let go of a PostgreSQL database
LEDGER_WAIT_MAX: Final = 60 * SECOND  # the longest that one request is kept waiting
SETTLED_KEPT: Final = 10_000  # ended attempts remembered without asking the database
CACHE_BYTES_MAX: Final = 1024 * MIB  # of cached responses in one namespace; the least recently used go first
CACHE_VALUE_MAX: Final = 16 * MIB  # of one cached response
CONTENT_MAX: Final = 64 * MIB  # of one content
CONTENT_GRACE: Final = 1 * HOUR  # a content that nobody keeps stays so long, for those about to keep it
CONTENTS_THRESHOLD: Final = 512  # bytes of a payload that is stored apart: its reference takes about 100
CONTENTS_UNPACKED_MAX: Final = 256 * MIB  # of one payload whose pieces are stored; more is damage or malice
CONTENTS_NESTING: Final = 24  # levels of references: four to the power of it is more than fits
CONTENTS_CACHED: Final = 64 * MIB  # contents that a process remembers
CONTENTS_HELD_KNOWN: Final = 20 * MINUTE  # a process believes so long that something is held; less than CONTENT_GRACE
CONTENTS_HELD_MAX: Final = 200_000  # pairs of content and workflow that a process remembers, 300 bytes each
CONTENTS_PARENTS_MAX: Final = 200_000  # child workflows whose parents a process remembers
CONTENTS_GRACE: Final = 1 * DAY  # what is newer is not collected
STREAM_KEPT: Final = 1 * DAY  # a stream that nobody adds to is forgotten
STREAM_CHUNKS_MAX: Final = 100_000  # of one stream; the oldest go first
STREAM_READ_MAX: Final = 1_000  # chunks of one answer
APPROVAL_FORM_MAX: Final = 1 * MIB  # of an approval's details, schema and form together
LEDGER_BODY_MAX: Final = 96 * MIB  # of one request to the ledger: a content in base64
LEDGER_PATIENCE: Final = 5 * MINUTE  # a connection without a request is closed after it
LEDGER_SSE_SILENCE: Final = 15 * SECOND  # a stream of events without news says that it is still there
LEDGER_COMMIT_QUICK: Final = 5 * MS  # commits that take less are not worth a thread
