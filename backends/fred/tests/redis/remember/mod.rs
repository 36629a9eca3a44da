//! `remember` on a real server: herds, cancelled loads, invalidations during a load, several processes.

mod cancel;
mod herd;
mod history;
mod history_world;
mod invalidate;
mod killed;
mod late_answers;
mod support;
mod trips;
mod watched;
mod wire;
