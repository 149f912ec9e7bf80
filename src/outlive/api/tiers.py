"""How urgent each RPC is, and what of a namespace's limits it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LOWEST: Final = 5
LONG_HISTORY: Final = "PollWorkflowExecutionHistory"  # how GetWorkflowExecutionHistory counts while it waits


def _words(names: str) -> frozenset[str]:
    return frozenset(names.split())


TIERS: Final[Mapping[int, frozenset[str]]] = {
    tier: _words(names)
    for tier, names in {
        1: """
            SignalWorkflowExecution SignalWithStartWorkflowExecution StartWorkflowExecution
            UpdateWorkflowExecution ExecuteMultiOperation CreateSchedule StartBatchOperation
            RecordActivityTaskHeartbeat RecordActivityTaskHeartbeatById RespondActivityTaskCompleted
            RespondActivityTaskCompletedById RespondWorkflowTaskCompleted RespondQueryTaskCompleted
        """,
        2: """
            RequestCancelWorkflowExecution TerminateWorkflowExecution ResetWorkflowExecution
            DeleteWorkflowExecution GetWorkflowExecutionHistory PauseWorkflowExecution
            UnpauseWorkflowExecution UpdateWorkflowExecutionOptions UpdateSchedule PatchSchedule
            DeleteSchedule StopBatchOperation UpdateActivityOptions PauseActivity UnpauseActivity
            ResetActivity UpdateTaskQueueConfig CreateWorkerDeployment CreateWorkerDeploymentVersion
            SetWorkerDeploymentCurrentVersion SetWorkerDeploymentRampingVersion SetWorkerDeploymentManager
            DeleteWorkerDeployment DeleteWorkerDeploymentVersion UpdateWorkerDeploymentVersionMetadata
            UpdateWorkerDeploymentVersionComputeConfig
        """,
        3: """
            DescribeWorkflowExecution DescribeTaskQueue ListTaskQueuePartitions QueryWorkflow
            DescribeSchedule ListScheduleMatchingTimes DescribeBatchOperation DescribeWorkerDeployment
            DescribeWorkerDeploymentVersion ValidateWorkerDeploymentVersionComputeConfig ListWorkers
            CountWorkers DescribeWorker RespondActivityTaskCanceled RespondActivityTaskCanceledById
            RespondActivityTaskFailed RespondActivityTaskFailedById RespondWorkflowTaskFailed
        """,
        4: """
            PollWorkflowTaskQueue PollActivityTaskQueue PollWorkflowExecutionUpdate ResetStickyTaskQueue
            ShutdownWorker GetWorkflowExecutionHistoryReverse RecordWorkerHeartbeat FetchWorkerConfig
            UpdateWorkerConfig
        """,
    }.items()
}
"""RPCs by tier, the most urgent first; all others are of the lowest. As Temporal has them."""

VISIBILITY: Final = _words("""
    CountWorkflowExecutions ScanWorkflowExecutions ListOpenWorkflowExecutions ListClosedWorkflowExecutions
    ListWorkflowExecutions ListSchedules CountSchedules ListBatchOperations ListWorkerDeployments
""")
"""RPCs that read the visibility store, or what Temporal keeps there; they have a rate of their own."""

_NOT_IN_THE_STORE: Final = frozenset(("ListBatchOperations", "ListWorkerDeployments"))

LONG: Final = _words("""
    PollWorkflowTaskQueue PollActivityTaskQueue PollWorkflowExecutionUpdate
    PollWorkflowExecutionTimeSkipping QueryWorkflow UpdateWorkflowExecution ExecuteMultiOperation
""")
"""RPCs that wait for a worker, or for something to happen: so many of each may wait at once."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What of the limits concerns an RPC."""

    name: str
    tier: int
    visibility: bool  # it takes from the rate of such requests, not from the tiers
    reads_store: bool
    long: bool


def kind_of(name: str) -> Kind:
    """The limits of an RPC, by its name or LONG_HISTORY."""
    return Kind(
        name=name,
        tier=next((tier for tier, names in TIERS.items() if name in names), LOWEST),
        visibility=name in VISIBILITY,
        reads_store=name in VISIBILITY - _NOT_IN_THE_STORE,
        long=name in LONG or name == LONG_HISTORY,
    )
