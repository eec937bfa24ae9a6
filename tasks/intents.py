"""What a person wants of an assistant: Banking77 and CLINC150, as declarations.

Both are reported on their complete test sets; a slice of the training set selects, and the validation set
that CLINC150 has is not used. The hub has Banking77 as a loading script (`PolyAI/banking77`), which
`datasets` no longer runs, and with the same rows and labels as parquet files (`legacy-datasets/banking77`).
"""

from __future__ import annotations

from tasks.hub import HubSource
from tasks.spec import ACCURACY, MACRO_F1, TaskSpec

_BANKING = """
    activate_my_card age_limit apple_pay_or_google_pay atm_support automatic_top_up
    balance_not_updated_after_bank_transfer balance_not_updated_after_cheque_or_cash_deposit
    beneficiary_not_allowed cancel_transfer card_about_to_expire card_acceptance card_arrival
    card_delivery_estimate card_linking card_not_working card_payment_fee_charged
    card_payment_not_recognised card_payment_wrong_exchange_rate card_swallowed cash_withdrawal_charge
    cash_withdrawal_not_recognised change_pin compromised_card contactless_not_working country_support
    declined_card_payment declined_cash_withdrawal declined_transfer direct_debit_payment_not_recognised
    disposable_card_limits edit_personal_details exchange_charge exchange_rate exchange_via_app
    extra_charge_on_statement failed_transfer fiat_currency_support get_disposable_virtual_card
    get_physical_card getting_spare_card getting_virtual_card lost_or_stolen_card lost_or_stolen_phone
    order_physical_card passcode_forgotten pending_card_payment pending_cash_withdrawal pending_top_up
    pending_transfer pin_blocked receiving_money Refund_not_showing_up request_refund
    reverted_card_payment? supported_cards_and_currencies terminate_account
    top_up_by_bank_transfer_charge top_up_by_card_charge top_up_by_cash_or_cheque top_up_failed
    top_up_limits top_up_reverted topping_up_by_card transaction_charged_twice transfer_fee_charged
    transfer_into_account transfer_not_received_by_recipient transfer_timing unable_to_verify_identity
    verify_my_identity verify_source_of_funds verify_top_up virtual_card_not_working visa_or_mastercard
    why_verify_identity wrong_amount_of_cash_received wrong_exchange_rate_for_cash_withdrawal
"""
_CLINC = """
    restaurant_reviews nutrition_info account_blocked oil_change_how time weather redeem_rewards
    interest_rate gas_type accept_reservations smart_home user_name report_lost_card repeat whisper_mode
    what_are_your_hobbies order jump_start schedule_meeting meeting_schedule freeze_account what_song
    meaning_of_life restaurant_reservation traffic make_call text bill_balance improve_credit_score
    change_language no measurement_conversion timer flip_coin do_you_have_pets balance tell_joke
    last_maintenance exchange_rate uber car_rental credit_limit oos shopping_list expiration_date routing
    meal_suggestion tire_change todo_list card_declined rewards_balance change_accent vaccines
    reminder_update food_last change_ai_name bill_due who_do_you_work_for share_location
    international_visa calendar translate carry_on book_flight insurance_change todo_list_update timezone
    cancel_reservation transactions credit_score report_fraud spending_history directions spelling
    insurance what_is_your_name reminder where_are_you_from distance payday flight_status find_phone
    greeting alarm order_status confirm_reservation cook_time damaged_card reset_settings pin_change
    replacement_card_duration new_card roll_dice income taxes date who_made_you pto_request tire_pressure
    how_old_are_you rollover_401k pto_request_status how_busy application_status recipe calendar_update
    play_music yes direct_deposit credit_limit_change gas pay_bill ingredients_list lost_luggage goodbye
    what_can_i_ask_you book_hotel are_you_a_bot next_song change_speed plug_type maybe w2 oil_change_when
    thank_you shopping_list_update pto_balance order_checks travel_alert fun_fact sync_device
    schedule_maintenance apr transfer ingredient_substitution calories current_location
    international_fees calculator definition next_holiday update_playlist mpg min_payment
    change_user_name restaurant_suggestion travel_notification cancel pto_used travel_suggestion
    change_volume
"""

BANKING77 = TaskSpec(
    name="banking77",
    version=1,
    title="Banking77: which of 77 things does a bank's customer ask for?",
    description=(
        "Questions of customers to a bank, in 77 intents that lie close to one another. The published score "
        "is accuracy; labels are as they were published, two of them in another spelling than the rest."
    ),
    problem_type="classification",
    text_columns=("text",),
    label_column="label",
    labels=tuple(_BANKING.split()),
    metrics=(ACCURACY, MACRO_F1),
    source=HubSource(
        hub_id="legacy-datasets/banking77",
        revision="f54121560de48f2852f90be299010d1d6dc612ec",
        config="default",
        train_split="train",
        report_split="test",
        train_rows=10_003,
        report_rows=3_080,
    ),
    license="CC BY 4.0",
    citation="casanueva2020efficient",
    homepage="https://github.com/PolyAI-LDN/task-specific-datasets",
)

CLINC150 = TaskSpec(
    name="clinc150",
    version=1,
    title="CLINC150: which of 150 things is asked for, or none of them?",
    description=(
        "Requests to an assistant in 150 intents of ten domains, and requests that are none of these (oos), "
        "as one more label: the set that its authors call OOS+, with 250 such requests to train on and "
        "1,000 to report on. Accuracy is over all 5,500 requests; papers often tell that of the 4,500 in "
        "scope, and the recall of the others, apart."
    ),
    problem_type="classification",
    text_columns=("text",),
    label_column="intent",
    labels=tuple(_CLINC.split()),
    metrics=(ACCURACY, MACRO_F1),
    source=HubSource(
        hub_id="clinc/clinc_oos",
        revision="155b9c710419136e17307b80d0a13e68cd46b4ec",
        config="plus",
        train_split="train",
        report_split="test",
        train_rows=15_250,
        report_rows=5_500,
    ),
    license="CC BY 3.0",
    citation="larson2019evaluation",
    homepage="https://github.com/clinc/oos-eval",
)

TASKS = (BANKING77, CLINC150)
