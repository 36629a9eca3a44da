//! `remember` on a real server: herds, cancelled loads, invalidations during a load, several processes.

mod background;
mod cancel;
mod herd;
mod history;
mod history_world;
mod invalidate;
mod killed;
mod late_answers;
mod leases;
mod support;
mod trips;
mod watched;
mod wire;
