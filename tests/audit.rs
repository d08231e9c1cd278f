//! The audit: what is recorded, what happens when it cannot be, and what a line looks like.

mod abandoned;
mod fails;
mod line;
mod records;
mod writers;
