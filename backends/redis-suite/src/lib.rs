//! Calls, beginnings, outages, clusters, sentinels and TLS, as tests for any of larder's Redis clients.
//!
//! Nothing here is part of larder: the crate is not published. A client runs the tests by naming itself in [`client!`],
//! in [`tests!`] and, where it has them, in [`unpolled_tests!`], [`socket_tests!`] and [`tls_tests!`].

mod calls;
mod client;
mod cluster;
mod failover;
mod hold;
mod life;
mod measure;
mod outage;
mod scripted;
mod sentinel;

mod support;
mod tls;

pub use client::{Client, Settings, Trust};
pub use measure::{alone, lateness, memory};

/// Makes a macro that expands to the tests listed. They are not public but through it, so that one that is left out
/// is dead code, which does not compile here.
macro_rules! suite {
    ($dollar:tt $(#[$doc:meta])* $list:ident in $runs:ident { $($module:ident::$file:ident { $($name:ident),+ $(,)? })+ }) => {
        #[doc(hidden)]
        #[allow(missing_docs, clippy::allow_attributes, reason = "each is documented by its name")]
        pub mod $runs {
            $($(
                pub fn $name<C: crate::Client>() {
                    crate::$module::$file::$name::<C>();
                }
            )+)+
        }

        $(#[$doc])*
        #[macro_export]
        macro_rules! $list {
            ($dollar client:ty) => {
                $($(
                    #[test]
                    fn $name() {
                        $crate::$runs::$name::<$dollar client>();
                    }
                )+)+
            };
        }
    };
}

suite! {$
    /// The tests that need no TLS, for the client named.
    tests in plain {
        calls::batch {
            empty_batches_answer_nothing_and_ask_nothing,
            answers_come_in_the_order_of_the_keys,
            of_two_items_with_one_key_the_later_wins,
            the_later_item_wins_where_the_earlier_needs_a_script_the_server_does_not_know,
            each_item_has_its_own_options_and_its_own_answer,
        }
        calls::conditions {
            set_writes_under_the_condition_alone,
            set_gives_takes_and_keeps_lives,
            delete_expire_and_persist_act_under_the_condition_alone,
            calls_that_make_no_sense_are_invalid_input_and_change_nothing,
            head_tells_the_beginning_the_length_and_the_life,
            any_key_and_any_bytes_are_kept_as_they_are,
        }
        calls::replies {
            a_key_of_another_type_reads_as_missing_and_is_counted,
            a_value_is_a_copy_and_keeps_nothing_of_what_was_read_next_to_it,
            conditional_writes_fail_on_a_key_of_another_type_and_leave_it,
            unconditional_writes_act_on_a_key_of_another_type,
            a_server_that_forgot_its_scripts_is_taught_them_again,
            errors_are_named_after_their_call,
        }
        calls::scan {
            every_key_that_matches_is_listed,
            keys_that_are_not_utf8_are_skipped,
            a_dropped_stream_asks_for_no_further_page,
            a_page_that_fails_ends_the_stream,
        }
        calls::sets {
            writes_at_the_same_time_are_each_answered_and_seen_by_every_read_that_begins_later,
            conditions_hold_amid_writes_of_the_same_key_that_go_together,
            a_write_with_a_deadline_of_its_own_ends_by_then,
            a_write_of_a_cluster_with_a_deadline_of_its_own_ends_by_then,
            the_deadline_of_the_connection_counts_where_it_is_shorter,
            a_write_of_a_batch_with_little_time_takes_none_from_the_others,
            of_many_writes_those_that_are_given_up_before_their_batch_goes_are_not_sent,
            writes_whose_own_deadline_is_over_say_nothing_of_the_server,
        }
        calls::sweep {
            a_pattern_goes_by_one_unlink_a_page,
            an_error_amid_a_pattern_says_how_many_keys_went_before_it,
        }
        calls::bounds {
            calls_that_are_dropped_count_as_in_flight_until_their_deadline,
            calls_that_are_dropped_do_not_flood_the_server_when_it_is_back,
            a_call_that_was_never_polled_takes_no_place,
            a_batch_that_is_dropped_gives_back_what_was_not_sent,
            the_limit_is_named_in_the_error,
        }
        calls::quotes {
            a_server_without_scripts_moves_no_answer_to_another_call,
            a_server_without_a_command_moves_no_answer_to_another_call,
        }
        calls::cache {
            values_lives_batches_and_patterns_work_end_to_end,
            a_list_is_a_miss_to_reads_an_error_to_conditional_writes_and_replaced_by_a_plain_set,
            every_call_that_removes_removes_a_list_and_says_that_it_was_no_value,
            what_another_program_stored_is_a_counted_miss_and_stays,
            a_renamed_entry_is_a_miss,
            each_call_is_the_commands_it_should_be,
        }
        calls::oracle {
            memory_and_a_real_server_give_the_same_answers_to_20_000_random_operations,
        }
        calls::conformance {
            conformance_resp3,
            conformance_resp2,
            conformance_unbatched,
            conformance_in_an_arc,
            conformance_on_tokio_with_one_thread,
        }
        life::start {
            a_server_started_after_connect_is_found_within_a_second,
            strict_connecting_fails_where_the_server_is_away,
            a_server_that_accepts_and_says_nothing_is_away_within_the_connect_timeout,
            a_wrong_password_is_an_error_at_once_that_does_not_tell_it,
            a_lazy_connection_with_a_wrong_password_says_so_in_every_call,
            a_server_that_is_full_is_away_until_there_is_room,
            a_database_the_server_does_not_have_is_an_error_at_once,
            a_cluster_url_of_a_server_that_is_none_is_an_error_at_once,
            a_database_of_ones_own_is_used,
        }
        life::executors {
            smol_makes_and_uses_a_backend,
            a_plain_block_on_makes_and_uses_a_backend,
            a_multi_thread_tokio_makes_a_backend_that_others_use,
            a_current_thread_tokio_makes_a_backend_that_others_use_while_it_is_idle,
            a_tokio_without_timers_or_sockets_makes_a_backend_on_a_runtime_of_its_own,
            a_backend_may_be_dropped_inside_any_runtime,
            a_static_outlives_the_runtime_that_touched_it_first,
            a_wait_that_blocks_inside_a_task_that_has_used_up_its_turn_ends,
            calls_after_the_end_of_a_shared_runtime_are_errors_and_no_panics,
            a_call_of_a_thread_that_ends_is_a_connection_error,
        }
        life::blocking {
            plain_threads_connect_and_call_without_a_runtime,
            a_current_thread_tokio_is_blocked_by_calls_that_end,
            the_only_worker_of_a_tokio_is_blocked_by_calls_that_end,
            the_only_thread_of_smol_is_blocked_by_calls_that_end,
            a_deadline_ends_a_blocking_call_on_the_only_thread_of_a_runtime,
            a_large_batch_of_a_tokio_task_that_blocks_takes_more_than_a_tasks_turn,
            blocking_connects_tell_a_server_that_is_away_from_a_wrong_password,
            a_blocking_manager_leaves_no_connection_behind,
        }
        life::acl {
            the_documented_rights_suffice_for_every_call,
            each_documented_right_is_needed,
            a_user_without_a_password_or_with_an_odd_one_is_that_user,
            a_key_outside_the_users_pattern_is_a_server_error,
            a_pattern_takes_the_keys_that_the_user_may_remove_and_says_that_others_are_left,
            a_user_of_a_cluster_needs_to_ask_about_it_besides,
            a_user_needs_one_more_right_where_a_slot_moves,
            a_user_needs_one_more_right_where_sentinels_name_the_server,
        }
        life::closing {
            closing_ends_the_connection_for_every_clone,
            closing_leaves_no_task_behind,
            closing_waits_for_the_server_and_not_for_the_deadline,
            everyone_who_closes_waits_for_the_end,
            closing_that_is_given_up_ends_the_connection_all_the_same,
            closing_while_the_server_is_away_is_bounded_and_leaves_no_task,
            dropping_the_last_handle_leaves_neither_connection_nor_task,
            connecting_that_is_given_up_leaves_nothing_behind,
        }
        outage::stalls {
            outage_a_server_that_stalls_is_a_timeout_at_the_deadline,
            outage_calls_beyond_the_limit_are_turned_away_at_once,
            outage_a_large_batch_gives_up_once_the_server_is_away,
        }
        outage::restarts {
            outage_a_server_that_restarts_is_found_again,
            outage_a_write_of_an_outage_is_never_applied_afterwards,
            outage_a_write_given_up_as_the_connection_breaks_is_never_applied_afterwards,
        }
        outage::silence {
            outage_a_connection_that_went_silent_is_replaced_and_leaves_no_socket,
            outage_a_silent_connection_is_replaced_where_every_caller_gives_up_before_the_deadline,
            outage_a_silent_connection_is_replaced_though_nobody_calls_again,
            outage_writes_with_little_time_replace_no_connection_that_answers,
        }
        outage::faults {
            outage_a_connection_that_is_refused_fails_every_call_in_time,
            outage_a_server_that_accepts_and_hangs_fails_every_call_in_time,
            outage_a_connection_that_is_cut_fails_every_call_in_time,
            outage_a_connection_that_is_slow_fails_every_call_in_time,
            outage_a_connection_that_trickles_fails_every_call_in_time,
            outage_a_connection_that_is_half_open_fails_every_call_in_time,
            outage_a_connection_that_is_reset_fails_every_call_in_time,
        }
        outage::answers {
            outage_out_of_memory_is_a_server_error_and_leaves_data_as_it_was,
            outage_a_value_larger_than_the_server_takes_is_an_error_and_no_outage,
            outage_a_read_only_replica_is_a_server_error_at_once,
            outage_a_flush_is_a_miss_and_no_error,
            outage_a_server_that_is_busy_is_a_timeout_and_then_well,
            outage_a_password_that_was_changed_is_told_and_taken_when_it_is_changed_back,
        }
        outage::words {
            outage_an_answer_that_is_no_protocol_is_an_error_and_no_value_of_another_call,
            outage_answers_of_another_kind_and_absurd_lengths_are_errors_in_time,
            outage_what_a_server_can_not_do_for_now_is_away_and_what_it_refuses_is_not,
            outage_a_server_that_is_loading_is_away_until_it_is_done,
            outage_a_batch_whose_scripts_are_unknown_is_bounded_where_the_server_then_stalls,
            outage_a_server_that_lets_clients_in_and_throws_them_out_is_not_stormed,
            outage_what_a_server_quotes_of_a_greeting_is_not_told,
            outage_a_cluster_whose_nodes_send_a_key_around_answers_in_time,
        }
        outage::frozen {
            outage_a_write_that_waits_behind_a_large_one_is_not_sent_after_its_deadline,
            outage_a_write_that_waits_behind_a_large_one_is_not_sent_after_a_deadline_of_its_own,
            outage_a_write_that_waited_for_its_batch_is_not_sent_after_its_deadline,
            outage_a_frozen_server_bounds_calls_with_large_values_and_is_found_when_it_thaws,
        }
        outage::load {
            outage_a_server_killed_under_load_costs_milliseconds_and_little_memory,
        }
        outage::leftovers {
            outage_a_client_dropped_while_the_server_is_away_leaves_no_task_and_no_connection,
            outage_a_scan_ends_at_the_deadline_of_a_page_and_asks_for_nothing_more,
        }
        cluster::batches {
            cluster_batches_and_scans_reach_every_node,
            cluster_writes_of_one_key_are_applied_in_their_order_while_a_node_is_being_connected_to,
            cluster_scripts_are_taught_to_the_node_that_holds_the_key,
            cluster_a_cluster_that_lost_a_node_fails_bounded,
        }
        cluster::reshard {
            cluster_a_slot_that_moves_is_followed_by_every_call,
            cluster_a_slot_that_moves_under_load_loses_no_write,
            cluster_calls_that_are_sent_on_count_as_in_flight,
            cluster_conformance,
        }
        cluster::failover {
            cluster_a_primary_that_is_killed_costs_the_others_nothing_and_its_replica_is_found_within_a_second,
            cluster_a_primary_that_freezes_costs_the_others_nothing_and_its_replica_is_found,
        }
        cluster::leftovers {
            cluster_a_client_that_ends_leaves_no_task_and_no_connection,
            cluster_clients_that_come_and_go_leave_no_thread_and_no_memory,
            cluster_a_client_dropped_while_a_node_is_away_leaves_no_task,
            cluster_a_node_that_is_away_at_the_start_takes_only_its_own_keys_with_it,
        }
        sentinel::failover {
            sentinel_the_primary_is_found_in_both_protocols,
            sentinel_servers_and_sentinels_each_have_a_password_of_their_own,
            sentinel_a_service_that_no_sentinel_knows_is_an_error_in_time,
            sentinel_a_primary_that_is_killed_is_replaced_and_found_within_a_second,
            sentinel_a_primary_that_freezes_is_replaced_and_never_written_to_again,
            sentinel_conformance,
        }
    }
}

suite! {$
    /// The tests of a client whose calls end at their deadline whoever polls them, for the client named.
    unpolled_tests in unpolled {
        outage::frozen {
            outage_a_write_that_nobody_polls_is_not_sent_after_its_deadline,
        }
    }
}

suite! {$
    /// The tests of unix sockets, for the client named.
    socket_tests in sockets {
        life::start {
            a_unix_socket_is_used_with_its_database_and_password,
        }
    }
}

suite! {$
    /// The tests of TLS, for the client named.
    tls_tests in secured {
        tls::connections {
            tls_a_server_with_a_trusted_certificate_is_used,
            tls_a_certificate_that_is_not_trusted_is_an_error_at_once,
            tls_a_server_without_tls_is_an_error_within_the_connect_timeout,
            tls_a_server_that_asks_for_a_certificate_gets_one,
            tls_a_connection_that_breaks_is_made_again,
            tls_no_word_goes_out_in_the_clear,
            tls_conformance,
        }
        tls::cluster {
            tls_a_cluster_serves_every_slot_and_is_followed_as_one_moves,
            tls_cluster_conformance,
        }
    }
}
