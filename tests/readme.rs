//! The README: every block and every command of it is what it claims to be, every table says what the code does.

mod aws;
mod blocks;
mod commands;
mod markdown;
mod speed;
mod tables;
