//! Decisions about the connection to the server: when to connect, which token to use, whether
//! the link is alive, and what to request again. Pure: time, in milliseconds of a clock that
//! never goes back, and randomness are arguments.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "only the browser connects")
)]

mod backoff;
mod liveness;
mod resync;
mod session;
mod token;

#[cfg(feature = "hydrate")]
pub(crate) use {
    liveness::{Liveness, SILENCE},
    resync::Resync,
    session::{CloseReason, Session, Step},
};
