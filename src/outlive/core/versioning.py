"""What a run has to do with worker versions: where its tasks go, and how it moves between versions.

    unversioned --first task on a version--> in transition --that task completes--> on the version
        on the version: PINNED stays; AUTO_UPGRADE moves, through a transition, with a task after the routing changed

Rules (all of them live in this file)
- The version of a run is, in this order: that of a transition under way; that of its override (pinned, or one
  time); the one that completed its last task, if it reported a behaviour.
- Its behaviour likewise: AUTO_UPGRADE in a transition, then the override's, then the reported one.
- A pinned run's workflow tasks go to its version. Others go where the routing of its queue says.
- A pinned run's activities go to its version if workers of that have the activity's queue, else where the
  routing of that queue says. Others go where the routing says.
- A workflow task that starts on another version than the run's begins a transition; the completion by that
  version ends it, with the behaviour it reports. A speculative task begins none: its completion tells.
- No activity starts in a transition. One that starts on a version which the run would move to by now makes
  the run move first. Activities that wait are offered again when the run has moved.
- Stickiness ends with a transition. In one, only the version it goes to becomes sticky.
- An override to one version ends the transition. A one-time override is done once its version has
  completed a task.
- A pinned run is told, with its tasks, that the routing has another version for it; not while it has an
  override, and not again once its chain has declined that revision by continuing as new.
- Continue-as-new: a pinned run's successor is pinned as well, unless the command asks for an initial
  behaviour; that of an auto-upgrade run starts from its version and revision. Both only if workers of the
  version have the new queue. Retry: the same for auto-upgrade, and for pinned if the run itself inherited.
  Cron inherits nothing. A pinned override goes on in all three.
- A child in the same namespace inherits version and override in the same way, unless it has its own override.
"""

from __future__ import annotations

from temporalio.api.deployment.v1 import InheritedAutoUpgradeInfo
from temporalio.api.enums.v1 import ContinueAsNewVersioningBehavior, VersioningBehavior
from temporalio.api.history.v1 import (
    DeclinedTargetVersionUpgrade,
    StartChildWorkflowExecutionInitiatedEventAttributes,
    WorkflowExecutionStartedEventAttributes,
)
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionVersioningInfo

from outlive.core.queue_routing import Routes, Target
from outlive.core.state import Info, State
from outlive.core.version_names import VersionName, dotted, named, parsed

UNSPECIFIED = VersioningBehavior.VERSIONING_BEHAVIOR_UNSPECIFIED
PINNED = VersioningBehavior.VERSIONING_BEHAVIOR_PINNED
AUTO_UPGRADE = VersioningBehavior.VERSIONING_BEHAVIOR_AUTO_UPGRADE
USE_RAMPING = ContinueAsNewVersioningBehavior.CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_USE_RAMPING_VERSION
VersioningInfo = WorkflowExecutionVersioningInfo

# -- overrides -----------------------------------------------------------------------------------------------


def modern(override: VersioningOverride) -> VersioningOverride:
    """The override without the older fields that say the same."""
    result = VersioningOverride()
    if override.WhichOneof("override"):
        result.CopyFrom(override)
        result.ClearField("behavior")
        result.ClearField("deployment")
        result.ClearField("pinned_version")
    elif override.behavior == AUTO_UPGRADE:
        result.auto_upgrade = True
    elif override.behavior == PINNED:
        result.pinned.behavior = VersioningOverride.PINNED_OVERRIDE_BEHAVIOR_PINNED
        version = (
            parsed(override.pinned_version)
            if override.pinned_version
            else VersionName(override.deployment.series_name, override.deployment.build_id)
        )
        if version is not None:
            result.pinned.version.CopyFrom(version.message())
    return result


def override_version(override: VersioningOverride) -> VersionName | None:
    """The version that an override, in its modern form, sends the run to."""
    kind = override.WhichOneof("override")
    if kind == "pinned":
        return named(override.pinned.version)
    return named(override.one_time.target_deployment_version) if kind == "one_time" else None


def _override_behavior(override: VersioningOverride) -> VersioningBehavior.ValueType:
    return AUTO_UPGRADE if override.WhichOneof("override") == "auto_upgrade" else PINNED


# -- reading -------------------------------------------------------------------------------------------------


def info_of(state: State) -> VersioningInfo | None:
    """What the run keeps of versions; None for one that never had to do with them."""
    data = state.info.versioning
    return VersioningInfo.FromString(data) if data is not None else None


def behavior(info: VersioningInfo | None) -> VersioningBehavior.ValueType:
    """The behaviour that counts now."""
    if info is None:
        return UNSPECIFIED
    if info.HasField("version_transition"):
        return AUTO_UPGRADE
    return lasting_behavior(info)


def lasting_behavior(info: VersioningInfo) -> VersioningBehavior.ValueType:
    """The behaviour without regard to a transition, as search attributes show it."""
    if info.HasField("versioning_override"):
        return _override_behavior(info.versioning_override)
    return info.behavior


def version(info: VersioningInfo | None) -> VersionName | None:
    """The version that the run is on, or on its way to. None: unversioned workers."""
    if info is None:
        return None
    if info.HasField("version_transition"):
        return named(info.version_transition.deployment_version)
    target = override_version(info.versioning_override)
    if target is not None or behavior(info) == UNSPECIFIED:
        return target
    return named(info.deployment_version)


def lasting_version(info: VersioningInfo) -> VersionName | None:
    """The version without regard to a transition, as search attributes show it."""
    return override_version(info.versioning_override) or named(info.deployment_version)


def moving(state: State) -> bool:
    """Whether the run is in a transition."""
    info = info_of(state)
    return info is not None and info.HasField("version_transition")


def shown(state: State) -> VersioningInfo | None:
    """As descriptions have it: also in the older fields."""
    info = info_of(state)
    if info is None:
        return None
    if info.HasField("deployment_version"):
        info.version = dotted(named(info.deployment_version))
    if info.HasField("version_transition"):
        info.version_transition.version = dotted(named(info.version_transition.deployment_version))
    if info.HasField("versioning_override"):
        old = info.versioning_override
        kind = old.WhichOneof("override")
        if kind != "one_time":  # the older fields cannot say it
            old.behavior = _override_behavior(old)
        if kind == "pinned":
            old.pinned_version = dotted(override_version(old))
    return info


# -- where tasks go --------------------------------------------------------------------------------------------


def _target(state: State, info: VersioningInfo | None, routes: Routes) -> Target:
    """Where the routing of the run's queue sends it."""
    start = state.start
    initial = info is not None and not state.info.last_started_event_id
    use_ramping = initial and info is not None and info.continue_as_new_initial_versioning_behavior == USE_RAMPING
    return routes.routing(start.namespace_id, start.task_queue).target(start.workflow_id, use_ramping=use_ramping)


def task_version(state: State, routes: Routes) -> Target:
    """The version that the run's workflow tasks go to; also its queries."""
    info = info_of(state)
    if behavior(info) == PINNED:
        return Target(version(info), 0)
    return _target(state, info, routes)


def sticks(state: State, routes: Routes) -> bool:
    """Whether a task may still go to the worker that has the run cached."""
    info = info_of(state)
    if behavior(info) == PINNED:
        return True
    target = _target(state, info, routes).version
    return target is None or target == version(info)


def activity_version(state: State, queue: str, routes: Routes) -> Target:
    """The version that an activity of the run goes to."""
    start, info = state.start, info_of(state)
    if behavior(info) == PINNED:
        own = version(info)
        if own is not None and routes.has(start.namespace_id, queue, own, activities=True):
            return Target(own, 0)
    return routes.routing(start.namespace_id, queue, activities=True).target(start.workflow_id)


# -- starting a task -------------------------------------------------------------------------------------------


def _keep(info: Info, versioning: VersioningInfo) -> None:
    info.versioning = versioning.SerializeToString()


def _revision(data: bytes | None) -> int:
    return DeclinedTargetVersionUpgrade.FromString(data).revision_number if data is not None else 0


def notice_target(state: State, routes: Routes) -> None:
    """A workflow task starts: note whether a pinned run is to be told of another version for it."""
    kept = state.info
    info = info_of(state)
    if info is None or behavior(info) == UNSPECIFIED:
        return
    if info.HasField("versioning_override"):
        kept.declined_target = kept.notified_target = None
        return
    if behavior(info) == AUTO_UPGRADE:
        return
    target = _target(state, info, routes)
    if target.version == version(info):
        kept.declined_target = kept.notified_target = None
    elif kept.declined_target is None or target.revision > _revision(kept.declined_target):
        message = DeclinedTargetVersionUpgrade(revision_number=target.revision)
        if target.version is not None:
            message.deployment_version.CopyFrom(target.version.message())
        kept.notified_target = message.SerializeToString()
        kept.declined_target = None


def target_changed(state: State) -> bool:
    """Whether a task tells the worker that the routing has another version for the run."""
    return state.info.notified_target is not None and behavior(info_of(state)) == PINNED


def begin_transition(state: State, to: Target) -> bool:
    """Work of the run starts on a version: if it is another one, the run moves there. False if it is not."""
    info = info_of(state)
    if version(info) == to.version or behavior(info) == PINNED:
        return False
    info = info or VersioningInfo()
    info.version_transition.SetInParent()
    info.version_transition.ClearField("deployment_version")
    if to.version is not None:
        info.version_transition.deployment_version.CopyFrom(to.version.message())
    info.revision_number = to.revision
    _keep(state.info, info)
    state.info.sticky_queue = ""
    state.info.sticky_timeout = 0
    return True


# -- completing a task -----------------------------------------------------------------------------------------


def completed(
    state: State, by: VersionName | None, reported: VersioningBehavior.ValueType, deployment_name: str
) -> bool:
    """A worker completed a task. True if the run has moved, so that waiting activities must be offered again."""
    state.info.deployment_name = deployment_name
    info = info_of(state)
    if info is None and reported == UNSPECIFIED:
        return False
    before = (version(info), behavior(info))
    info = info or VersioningInfo()
    moved = info.HasField("version_transition") and named(info.version_transition.deployment_version) == by
    if moved:
        info.ClearField("version_transition")
        before = (by, before[1])
    info.behavior = reported
    info.ClearField("deployment_version")
    if reported != UNSPECIFIED and by is not None:
        info.deployment_version.CopyFrom(by.message())
    if by is not None and named(info.versioning_override.one_time.target_deployment_version) == by:
        info.ClearField("versioning_override")
    _keep(state.info, info)
    return moved or before != (version(info), behavior(info))


# -- overriding ------------------------------------------------------------------------------------------------


def override(state: State, wanted: VersioningOverride | None) -> bool:
    """Set or take away the override. True if tasks that wait must be offered again."""
    info = info_of(state)
    if info is None and wanted is None:
        return False
    before = (version(info), behavior(info))
    info = info or VersioningInfo()
    if wanted is None:
        info.ClearField("versioning_override")
        state.info.deployment_name = info.deployment_version.deployment_name
    else:
        info.versioning_override.CopyFrom(modern(wanted))
        target = override_version(info.versioning_override)
        if target is not None:
            state.info.deployment_name = target.deployment
    if lasting_behavior(info) == PINNED:
        info.ClearField("version_transition")
    changed = before != (version(info), behavior(info))
    if changed:
        state.info.sticky_queue = ""
        state.info.sticky_timeout = 0
    _keep(state.info, info)
    return changed


# -- inheriting ------------------------------------------------------------------------------------------------


def begin(state: State, event: WorkflowExecutionStartedEventAttributes) -> None:
    """What a new run has to do with versions, from its first event."""
    has = event.HasField
    pinned, upgrade = has("inherited_pinned_version"), has("inherited_auto_upgrade_info")
    if not (pinned or upgrade or has("versioning_override")):
        return
    info = VersioningInfo()
    if has("versioning_override"):
        info.versioning_override.CopyFrom(modern(event.versioning_override))
    if pinned:
        info.behavior = PINNED
        info.deployment_version.CopyFrom(event.inherited_pinned_version)
        if event.continued_execution_run_id and has("declined_target_version_upgrade"):
            state.info.declined_target = event.declined_target_version_upgrade.SerializeToString()
    if upgrade:
        source = event.inherited_auto_upgrade_info
        info.behavior = AUTO_UPGRADE
        info.deployment_version.CopyFrom(source.source_deployment_version)
        info.revision_number = source.source_deployment_revision_number
        info.continue_as_new_initial_versioning_behavior = source.continue_as_new_initial_versioning_behavior
    _keep(state.info, info)
    own = version(info)
    state.info.deployment_name = own.deployment if own is not None else ""


def _same_or_has(state: State, queue: str, own: VersionName | None, routes: Routes) -> bool:
    """Whether workers of the version take tasks of the next run's queue."""
    start = state.start
    return own is not None and (queue == start.task_queue or routes.has(start.namespace_id, queue, own))


def _inherit_upgrade(
    event: WorkflowExecutionStartedEventAttributes,
    info: VersioningInfo,
    initial: ContinueAsNewVersioningBehavior.ValueType,
) -> None:
    own = version(info)
    if own is None or not info.revision_number:
        return
    event.inherited_auto_upgrade_info.CopyFrom(
        InheritedAutoUpgradeInfo(
            source_deployment_version=own.message(),
            source_deployment_revision_number=info.revision_number,
            continue_as_new_initial_versioning_behavior=initial,
        )
    )


def continued(
    state: State,
    event: WorkflowExecutionStartedEventAttributes,
    initial: ContinueAsNewVersioningBehavior.ValueType,
    routes: Routes,
) -> None:
    """What the run that continues this one inherits."""
    info = info_of(state)
    if info is None:
        return
    own, queue = version(info), event.task_queue.name
    if not _same_or_has(state, queue, own, routes):
        return
    if info.versioning_override.WhichOneof("override") == "pinned":
        event.versioning_override.CopyFrom(info.versioning_override)
    if behavior(info) == PINNED and not initial and own is not None:
        event.inherited_pinned_version.CopyFrom(own.message())
        declined = state.info.notified_target or state.info.declined_target
        if declined is not None:
            event.declined_target_version_upgrade.ParseFromString(declined)
    elif behavior(info) != UNSPECIFIED:
        _inherit_upgrade(event, info, initial)


def again(
    state: State,
    mine: WorkflowExecutionStartedEventAttributes,
    event: WorkflowExecutionStartedEventAttributes,
    *,
    retry: bool,
) -> None:
    """What the run that retries this one, or follows it by cron, inherits. `mine`: this run's first event."""
    info = info_of(state)
    if info is None:
        return
    if info.versioning_override.WhichOneof("override") == "pinned":
        event.versioning_override.CopyFrom(info.versioning_override)
    if not retry:
        return
    own = version(info)
    if mine.HasField("declined_target_version_upgrade"):
        event.declined_target_version_upgrade.CopyFrom(mine.declined_target_version_upgrade)
    if behavior(info) == PINNED and mine.HasField("inherited_pinned_version") and own is not None:
        event.inherited_pinned_version.CopyFrom(own.message())
    elif behavior(info) == AUTO_UPGRADE:
        _inherit_upgrade(event, info, info.continue_as_new_initial_versioning_behavior)


def child(
    state: State,
    initiated: StartChildWorkflowExecutionInitiatedEventAttributes,
    event: WorkflowExecutionStartedEventAttributes,
    routes: Routes,
) -> None:
    """What a child of this run inherits."""
    if initiated.HasField("versioning_override"):
        event.versioning_override.CopyFrom(initiated.versioning_override)
        return
    info = info_of(state)
    if info is None or initiated.namespace_id != state.start.namespace_id:
        return
    own = version(info)
    if not _same_or_has(state, initiated.task_queue.name, own, routes):
        return
    if override_version(info.versioning_override) is not None:
        event.versioning_override.CopyFrom(info.versioning_override)
    if behavior(info) == PINNED and own is not None:
        event.inherited_pinned_version.CopyFrom(own.message())
    elif behavior(info) == AUTO_UPGRADE:
        _inherit_upgrade(event, info, ContinueAsNewVersioningBehavior.CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_UNSPECIFIED)
