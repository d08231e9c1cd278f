//! Futures on the heap.

use std::pin::Pin;

/// Makes a future on the heap.
///
/// `Box::pin(work())` makes it in the caller's stack frame first, and the caller is a future's `poll`, whose frame
/// stands while everything below it runs: half a dozen such frames were most of a quarter of a megabyte of stack, and a
/// sandbox pays for each page when it first touches it.
#[inline(never)]
pub(crate) fn boxed<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(make())
}
