//! Floods: many deliveries at once, of the same grant and of different ones on one function.

mod company;
mod duplicates;
mod queue;
