"""The parameters that the lists of People take, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.planning_center.abilities.ability import Abilities

TABLES: Final[Mapping[str, Abilities]] = {
    "organization": Abilities(),
    "apps": Abilities(query="name url", order="name url"),
    "carriers": Abilities(order="international name"),
    "campuses": Abilities(
        query="created_at updated_at id",
        order="name created_at updated_at",
        include="lists service_times",
    ),
    "service_times": Abilities(order="time"),
    "name_prefixes": Abilities(query="value", order="value"),
    "name_suffixes": Abilities(query="value", order="value"),
    "marital_statuses": Abilities(query="value", order="value sequence"),
    "inactive_reasons": Abilities(query="value", order="value"),
    "school_options": Abilities(
        query="beginning_grade ending_grade school_types sequence value",
        order="beginning_grade ending_grade sequence value",
    ),
    "tabs": Abilities(
        query="name sequence slug",
        order="name sequence slug",
        filter="with_field_definitions",
        include="field_definitions field_options",
    ),
    "field_definitions": Abilities(
        query="data_type name sequence slug config deleted_at tab_id",
        order="data_type name sequence slug config deleted_at tab_id",
        filter="include_deleted",
        include="field_options tab",
    ),
    "field_options": Abilities(query="sequence value", order="sequence value"),
    "people": Abilities(
        query=(
            "accounting_administrator anniversary birthdate child given_name grade graduation_year middle_name "
            "nickname people_permissions site_administrator gender inactivated_at medical_notes membership "
            "created_at updated_at search_name search_name_or_email search_name_or_email_or_phone_number "
            "search_phone_number search_phone_number_e164 mfa_configured first_name last_name id "
            "primary_campus_id remote_id status"
        ),
        order=(
            "accounting_administrator anniversary birthdate child given_name grade graduation_year middle_name "
            "nickname people_permissions site_administrator gender inactivated_at created_at updated_at "
            "first_name last_name remote_id membership status"
        ),
        filter="created_since admins organization_admins",
        include=(
            "addresses emails field_data households inactive_reason marital_status name_prefix name_suffix "
            "organization person_apps phone_numbers platform_notifications primary_campus school social_profiles"
        ),
    ),
    "person_mergers": Abilities(query="created_at person_to_keep_id person_to_remove_id", order="created_at"),
    "emails": Abilities(
        query="address location primary created_at updated_at blocked",
        order="address location primary created_at updated_at",
    ),
    "phone_numbers": Abilities(
        query="number carrier location primary created_at updated_at",
        order="number carrier location primary created_at updated_at",
    ),
    "addresses": Abilities(
        query="city state zip country_code location primary street_line_1 street_line_2",
        order="city state zip country_code location primary created_at updated_at street_line_1 street_line_2",
    ),
    "social_profiles": Abilities(
        query="created_at site updated_at url verified",
        order="created_at site updated_at url verified",
        include="person",
    ),
    "person_apps": Abilities(include="app"),
    "background_checks": Abilities(filter="current", include="person"),
    "field_data": Abilities(
        query="value file file_size file_content_type file_name created_at updated_at field_definition_id",
        order="value file file_size file_content_type file_name created_at updated_at",
        include="field_definition field_option tab",
    ),
    "households": Abilities(
        query="name member_count primary_contact_name created_at updated_at",
        order="name member_count primary_contact_name created_at updated_at",
        include="people",
    ),
    "household_memberships": Abilities(
        query="pending person_name",
        order="pending person_name",
        include="household person",
    ),
    "list_categories": Abilities(
        query="created_at name organization_id updated_at",
        order="created_at name organization_id updated_at",
        include="lists",
    ),
    "lists": Abilities(
        query="batch_completed_at created_at id name updated_at",
        order=(
            "batch_completed_at campus_id created_at list_categories.name list_category_id name "
            "name_or_description updated_at"
        ),
        filter="can_manage recently_viewed starred unassigned",
        include="campus category created_by mailchimp_sync_status people rules shares updated_by",
    ),
    "note_categories": Abilities(
        query="created_at locked name organization_id updated_at",
        order="created_at locked name organization_id updated_at",
        filter="view_creatable",
        include="shares subscribers subscriptions",
    ),
    "note_category_shares": Abilities(query="permission", include="person"),
    "note_category_subscriptions": Abilities(
        query="created_at updated_at",
        order="created_at updated_at",
        include="person",
    ),
    "notes": Abilities(
        query="note note_category_id",
        order="created_at display_date id note note_category_id updated_at",
        include="category created_by person",
    ),
    "rules": Abilities(
        query="created_at subset updated_at",
        order="created_at subset updated_at",
        include="conditions",
    ),
    "conditions": Abilities(
        query=(
            "application comparison created_at definition_class definition_identifier description settings updated_at"
        ),
        order=(
            "application comparison created_at definition_class definition_identifier description settings updated_at"
        ),
        include="created_by",
    ),
    "list_shares": Abilities(query="created_at group name permission", order="created_at group", include="person"),
    "list_results": Abilities(order="created_at updated_at"),
    "mailchimp_sync_statuses": Abilities(),
    "message_groups": Abilities(
        query=(
            "contains_user_generated_content created_at from_address message_count message_type reply_to_address "
            "reply_to_name subject system_message transactional_message uuid"
        ),
        order=(
            "contains_user_generated_content created_at from_address message_count message_type reply_to_address "
            "reply_to_name subject system_message transactional_message uuid"
        ),
        include="app from messages",
    ),
    "messages": Abilities(
        query=(
            "app_name bounced_at created_at delivery_status file from_address kind reject_reason "
            "rejection_notification_sent_at sent_at subject to_addresses"
        ),
        order=(
            "app_name bounced_at created_at delivery_status file from_address from_name kind reject_reason "
            "rejection_notification_sent_at sent_at subject to_addresses"
        ),
        filter="created_after",
        include="message_group to",
    ),
    "custom_senders": Abilities(order="created_at name updated_at verification_requested_at verified_at"),
    "people_imports": Abilities(query="status"),
    "people_import_histories": Abilities(
        query="name",
        filter="creates household_creates household_updates identical updates",
        include="household person",
    ),
    "people_import_conflicts": Abilities(
        query="kind name",
        filter=(
            "creates creates_and_updates errors household_creates household_updates identical ignored not_ignored "
            "updates"
        ),
    ),
    "reports": Abilities(
        query="body created_at name updated_at",
        order="body created_at name updated_at",
        include="created_by updated_by",
    ),
    "spam_email_addresses": Abilities(),
    "form_categories": Abilities(query="created_at name updated_at", order="created_at name updated_at"),
    "forms": Abilities(
        query="active id",
        order="active archived_at created_at deleted_at description name updated_at",
        filter="archived closed not_archived open recently_viewed with_recoverable",
        include="campus category",
    ),
    "form_fields": Abilities(order="created_at sequence updated_at", include="options"),
    "form_field_options": Abilities(order="created_at sequence updated_at"),
    "form_submissions": Abilities(
        query="updated_at",
        order="created_at person.first_name person.last_name",
        include="form form_fields form_submission_values person",
    ),
    "form_submission_values": Abilities(),
    "workflow_categories": Abilities(query="created_at name updated_at", order="created_at name updated_at"),
    "workflows": Abilities(
        query="archived_at campus_id created_at deleted_at id name updated_at workflow_category_id",
        order="archived_at campus_id created_at deleted_at name updated_at workflow_category_id",
        filter=(
            "archived has_my_cards manage_cards_allowed not_archived only_deleted recently_viewed unassigned "
            "with_deleted with_recoverable with_steps"
        ),
        include="category shares steps",
    ),
    "workflow_steps": Abilities(
        query="created_at name updated_at",
        order="created_at name sequence updated_at",
        include="default_assignee",
    ),
    "workflow_shares": Abilities(query="permission", include="person"),
    "workflow_cards": Abilities(
        query="assignee_id overdue stage",
        order=(
            "completed_at created_at first_name flagged_for_notification_at last_name moved_to_step_at removed_at "
            "stage updated_at"
        ),
        include="assignee current_step person workflow",
    ),
    "workflow_card_activities": Abilities(order="id"),
    "workflow_card_notes": Abilities(order="created_at"),
}
