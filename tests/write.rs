//! The careful write: what is sent, and what every answer of AWS comes to.

mod conflict;
mod errors;
mod lost;
mod retry_after;
mod shown;
mod status;
mod wire;
