"""Where the declarations differ from the public reference on purpose, and why."""

from collections.abc import Mapping

RECORDED = "Recorded responses of the version we pin (2026-06-04) say so; the reference is of 2025-03-20."
NO_SUCH_BOOLEAN = "The reference calls a number a boolean, so it is kept as it comes."
TOLD_ELSEWHERE = "Named by the corrections without a type; the reference has it of this type at other types."
WEBHOOKS = "Named by the corrections without a type; recorded webhook payloads show it so."
CLIENTS = "Named by the corrections without a type; published clients and newer references agree on it."
OWN_TYPE_ONLY = "The ids of a type that no path leads to: there is nothing to join them with."

PLANS_TELL = "Only the pages of plans tell which plan a time belongs to, and they bring it at no request."
SIGNUPS_TELL = "It does not name its signup: only the list under the signup does."

FOLLOWS = "It follows from other columns or rows."
SCREEN = "It is for a screen or a setting of Planning Center's."
SECRET = "It is nobody's to keep who need not."
USERS = "It is about the user who asks."
NOW = "It is of the moment in which it is asked for, and would differ in every sync."

ATTRIBUTES: Mapping[str, str] = {
    "calendar.calendars.color": TOLD_ELSEWHERE,
    "calendar.calendars.created_at": TOLD_ELSEWHERE,
    "calendar.calendars.default": TOLD_ELSEWHERE,
    "calendar.calendars.description": TOLD_ELSEWHERE,
    "calendar.calendars.name": TOLD_ELSEWHERE,
    "calendar.calendars.updated_at": TOLD_ELSEWHERE,
    "calendar.event_instances.name": TOLD_ELSEWHERE,
    "calendar.event_requests.last_activity_at": WEBHOOKS,
    "calendar.event_requests.status": WEBHOOKS,
    "calendar.event_resource_requests.visible_on_kiosks": TOLD_ELSEWHERE,
    "calendar.event_times.name": "The reference calls a name a time.",
    "giving.designation_refunds.fee_cents": TOLD_ELSEWHERE,
    "giving.funds.color_identifier": CLIENTS,
    "giving.funds.slug": TOLD_ELSEWHERE,
    "giving.payment_sources.status": TOLD_ELSEWHERE,
    "groups.group_types.public_church_center_web_url": TOLD_ELSEWHERE,
    "groups.groups.description_as_plain_text": "The text of `description`, which is one.",
    "groups.groups.events_listed": WEBHOOKS,
    "groups.groups.listed": WEBHOOKS,
    "groups.groups.tag_ids": "The reference calls ids an integer.",
    "groups.people.gender": TOLD_ELSEWHERE,
    "people.field_data.created_at": RECORDED,
    "people.field_data.updated_at": RECORDED,
    "people.field_data.file": RECORDED,
    "people.form_submissions.updated_at": WEBHOOKS,
    "people.household_memberships.household_role": CLIENTS,
    "people.membership_types.value": CLIENTS,
    "people.person_mergers.person_to_keep_id": RECORDED,
    "people.person_mergers.person_to_remove_id": RECORDED,
    "publishing.channels.archived": TOLD_ELSEWHERE,
    "publishing.episode_statistics.library_watch_count": NO_SUCH_BOOLEAN,
    "publishing.episode_statistics.live_watch_count": NO_SUCH_BOOLEAN,
    "services.arrangements.mtid": CLIENTS,
    "services.arrangements.rehearsal_mix_id": CLIENTS,
    "services.arrangements.rehearsal_mix_thumbnail": CLIENTS,
    "services.attachments.attachable_type": "A type's name, which stands beside the id that `attachable` gives.",
    "services.item_assignments.assignable_type": "A type's name.",
    "services.organization.file_storage_size": NO_SUCH_BOOLEAN,
    "services.organization.file_storage_size_used": NO_SUCH_BOOLEAN,
    "services.plans.public_by_schedule": CLIENTS,
    "services.teams.deleted_at": TOLD_ELSEWHERE,
}

ONLY_ASKED: Mapping[str, str] = {
    "calendar.event_resource_answers.db_answer": FOLLOWS,
    "calendar.feeds.sync_campus_tags": SCREEN,
    "calendar.organization.onboarding": SCREEN,
    "calendar.people.member_of_approval_groups": FOLLOWS,
    "calendar.resource_approval_groups.form_count": FOLLOWS,
    "calendar.resource_approval_groups.resource_count": FOLLOWS,
    "calendar.resource_approval_groups.room_count": FOLLOWS,
    "check_ins.events.app_source": SCREEN,
    "check_ins.stations.check_in_count": NOW,
    "check_ins.stations.closes_at": NOW,
    "check_ins.stations.next_shows_at": NOW,
    "check_ins.stations.online": NOW,
    "check_ins.stations.open_for_check_in": NOW,
    "giving.batches.donations_count": FOLLOWS,
    "groups.groups.can_create_conversation": USERS,
    "groups.groups.widget_status": SCREEN,
    "people.campuses.time_zone_raw": FOLLOWS,
    "people.form_submissions.requires_verification": SCREEN,
    "people.people.directory_shared_info": SCREEN,
    "people.people.mfa_configured": SECRET,
    "people.people.stripe_customer_identifier": SECRET,
    "people.phone_numbers.formatted_number": FOLLOWS,
    "people.workflows.my_due_soon_card_count": USERS,
    "people.workflows.my_overdue_card_count": USERS,
    "publishing.organization.downloads_used": NOW,
    "registrations.selection_types.price_currency_symbol": FOLLOWS,
    "registrations.selection_types.price_formatted": FOLLOWS,
    "registrations.signup_locations.address_data": FOLLOWS,
    "services.attachments.file_upload_identifier": SCREEN,
    "services.plan_people.scheduled_by_name": FOLLOWS,
}

CURSORS: Mapping[str, str] = {"people.field_data": RECORDED}

STRATEGIES: Mapping[str, str] = {
    "giving.designation_refunds": "Two levels of include bring them; the recommended walk asks for each donation.",
    "groups.tags": "One list where the unconfirmed path exists, instead of one for each tag group.",
    "people.field_data": RECORDED,
    "services.attachments": "One list where the unconfirmed path exists, instead of one for each plan.",
    "services.live_controllers": "The API can order them by updated_at.",
    "services.plan_person_times": "The list of a service type, where there is one, can be ordered by updated_at.",
    "services.plan_times": PLANS_TELL,
}

UNPROBED: Mapping[str, str] = {
    "check_ins.attendance_types": "The pages of events bring them at no request, which no path could do with fewer.",
    "groups.locations": "The pages of groups and events bring them at no request.",
}

SHOWN_RELATIONSHIPS: Mapping[str, str] = {
    "calendar.room_setups.resource_suggestions": "A suggestion names its room setup.",
    "people.custom_senders.custom_sender_shares": OWN_TYPE_ONLY,
    "people.form_fields.form_field_conditions": OWN_TYPE_ONLY,
    "people.form_fields.options": "An option names its field.",
    "people.households.people": "A household membership tells the same, and more.",
    "people.people.gender": "An attribute; recorded responses show no such relationship.",
    "services.folders.ancestors": "They follow from each folder's parent.",
    "services.plan_note_categories.teams": "Called to-one by its example, but named as many: kept as links.",
    "services.plan_notes.teams": "Called to-one by its example, but named as many: kept as links.",
    "services.teams.service_types": "Called to-one by its example, but named as many: kept as links.",
}

OFFERED_RELATIONSHIPS: Mapping[str, str] = {
    "calendar.resources.resource_approval_groups": "`resource_approval_groups.resources` holds the same links.",
    "calendar.tag_groups.events": "They follow from the tags of each event.",
    "check_ins.check_ins.event_times": "A check-in time tells them; to include them has failed with 500.",
    "check_ins.check_ins.locations": "A check-in time tells them.",
    "groups.locations.group": "A group names its location.",
    "people.field_data.tab": "The field definition names its tab.",
    "people.form_submissions.form_fields": "The submission's values name their fields.",
    "people.forms.category": "Shown as `form_category`.",
    "people.lists.people": "A list result tells the same, and since when.",
    "people.note_categories.subscribers": "A subscription tells the same, and since when.",
    "people.notes.category": "Shown as `note_category`.",
    "people.people.field_data": "A field datum names its person as `customizable`.",
    "people.people.platform_notifications": "Not synced: what a screen shows.",
    "people.tabs.field_options": "They follow from the tab's field definitions.",
    "people.workflows.category": "Shown as `workflow_category`.",
    "publishing.channels.current_episode": "Follows from the times of the channel's episodes.",
    "registrations.signups.next_signup_time": "Follows from the signup's times.",
    "services.attachments.zooms": "Not synced: what one user set for a screen.",
    "services.media.attachments": "An attachment names its medium as `attachable`.",
    "services.plans.my_schedules": "Not synced: the user's own.",
    "services.team_leaders.people": "A team leader names the person.",
    "services.teams.people": "The team's assignments and leaders name them.",
}

HIDING: Mapping[str, str] = {
    "people.*": "Nothing is known of a default: no type of People but those above can be asked for what is hidden.",
    "people.workflows": "`deleted_at` stays null, so a deleted one says nothing of it: as of plans, a list proves it.",
    "services.media": "It has no `hidden` to ask for.",
    "services.plans": "A deleted plan says nothing of it and is not stored; the list only proves that one is gone.",
}

BETTER: Mapping[str, str] = {
    "people.form_submissions": "Their values come included, and are changed without them: each form is read whole.",
    "registrations.attendees": SIGNUPS_TELL,
    "registrations.people": "The pages of attendees and registrations bring them at no request.",
    "registrations.registrations": SIGNUPS_TELL,
    "registrations.signups": "What comes included with them moves no cursor of theirs, and all are a page or two.",
    "services.plan_times": PLANS_TELL,
}

VERSIONS: Mapping[str, str] = {
    "api": "The reference snapshot holds an early version; 2025-09-30 is the newest known.",
    "people": RECORDED,
}
