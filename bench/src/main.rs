//! How fast the broker is, measured beside the least and the usual that a Lambda function can be.
//!
//! Everything runs on this machine: the release binaries are started as Lambda starts them, against a fake of
//! its Runtime API and a fake of its control plane over TLS. What is compared runs in turns, so that a busy
//! machine disturbs all alike, and is judged by ratios.

mod callgrind;
mod certificates;
mod code;
mod compare;
mod control_plane;
mod cost;
mod count;
mod event;
mod figures;
mod goals;
mod growth;
mod http;
mod instructions;
mod lab;
mod markdown;
mod parts;
mod process;
mod profile;
mod program;
mod python;
mod runtime_api;
mod sandbox;
mod share;
mod size;
mod slow;
mod stale;
mod start;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use event::Door;
use program::Binaries;

/// What stops a measurement; it is said and ends the program.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures the broker. Without a command it compares it with its rivals and with the goals.
#[derive(Parser)]
#[command(arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    extent: Extent,
    #[command(flatten)]
    binaries: Binaries,
    /// How the events reach the function: as an HTTP API sends them, or as the bare request, which is what the rivals are
    /// compared with unless this says otherwise.
    #[arg(long, global = true, value_enum)]
    door: Option<Door>,
    /// Compare without boto3, where Python or its packages are not to be had.
    #[arg(long)]
    without_python: bool,
}

/// How much is measured.
#[derive(clap::Args)]
struct Extent {
    /// How often each program is started.
    #[arg(long, global = true, default_value_t = 25)]
    starts: usize,
    /// How many events each start answers.
    #[arg(long, global = true, default_value_t = 60)]
    events: usize,
    /// A look only: five starts of ten events.
    #[arg(long, global = true)]
    quick: bool,
}

#[derive(Subcommand)]
enum Command {
    /// The connection to AWS is lost between two events.
    Stale,
    /// AWS answers late, in drips or never.
    Slow,
    /// How the work grows with allowlists, policies, requests and batches.
    Growth,
    /// What a million grants cost, by memory size.
    Cost,
    /// Count instructions with valgrind, and compare them with those recorded; more than 15 % more is an error.
    Instructions {
        /// Record them instead.
        #[arg(long)]
        record: bool,
    },
    /// Which part of the broker the instructions are spent in, and its size.
    Profile,
}

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    if cli.extent.quick {
        (cli.extent.starts, cli.extent.events) = (5, 10);
    }
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let broker = || cli.binaries.broker();
    let door = cli.door.unwrap_or(Door::ApiGateway);
    match cli.command {
        None => compare::run(&cli.binaries, cli.door.unwrap_or(Door::Direct), &cli.extent, !cli.without_python),
        Some(Command::Stale) => stale::run(&broker()?, door, &cli.extent),
        Some(Command::Slow) => slow::run(&broker()?, door),
        Some(Command::Growth) => growth::run(),
        Some(Command::Cost) => cost::run(&broker()?, door, &cli.extent),
        Some(Command::Instructions { record }) => instructions::run(&broker()?, door, record),
        Some(Command::Profile) => profile::run(&cli.binaries.broker_with_names()?, door),
    }
}
