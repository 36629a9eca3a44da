//! Outages, clusters, sentinels and TLS, as tests for any of larder's Redis clients.
//!
//! Nothing here is part of larder: the crate is not published. A client runs the tests by implementing [`Client`] and
//! naming itself in [`tests!`] and, where it has TLS, in [`tls_tests!`].

mod client;
mod cluster;
mod failover;
mod hold;
mod measure;
mod outage;
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
            outage_a_read_only_replica_is_a_server_error_at_once,
            outage_a_flush_is_a_miss_and_no_error,
            outage_a_server_that_is_busy_is_a_timeout_and_then_well,
            outage_a_password_that_was_changed_is_told_and_taken_when_it_is_changed_back,
        }
        outage::frozen {
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
            cluster_scripts_are_taught_to_the_node_that_holds_the_key,
            cluster_a_cluster_that_lost_a_node_fails_bounded,
        }
        cluster::reshard {
            cluster_a_slot_that_moves_is_followed_by_every_call,
            cluster_a_slot_that_moves_under_load_loses_no_write,
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
            sentinel_a_primary_that_is_killed_is_replaced_and_found_within_a_second,
            sentinel_a_primary_that_freezes_is_replaced_and_never_written_to_again,
            sentinel_conformance,
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
            tls_conformance,
        }
        tls::cluster {
            tls_a_cluster_serves_every_slot_and_is_followed_as_one_moves,
            tls_cluster_conformance,
        }
    }
}
