//! The deployed binary: what Lambda starts as `bootstrap`. Everything here happens once, in the init
//! phase, where Lambda does not throttle the CPU; after it there is only [`Broker::handle`].

mod runtime;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Mutex;

use permission_broker::audit::Audit;
use permission_broker::broker::Broker;
use permission_broker::config::{Aws, Config, Environment, Problems};
use permission_broker::connection::Connection;
use permission_broker::policy::Timing;
use permission_broker::results::Results;
use permission_broker::{aws, log};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Lambda reports the exit; this line says why. It holds no value of any variable or event.
            let what = if error.is::<runtime::Ended>() { "the broker has ended" } else { "the broker did not start" };
            tracing::error!(%error, "{what}");
            let _ = io::stderr().flush();
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Failure> {
    // Standard output without a buffer: one record is one write.
    let diagnostics = Mutex::new(File::from(io::stdout().as_fd().try_clone_to_owned()?));
    let audit = Audit::new(File::from(io::stdout().as_fd().try_clone_to_owned()?));
    log::start(tracing_subscriber::filter::LevelFilter::INFO, diagnostics);
    // What is not text stays in as replacement characters, which are no valid value of anything: left out,
    // a variable would take its default in silence.
    let text = |variable: OsString| variable.to_string_lossy().into_owned();
    let environment = Environment::new(std::env::vars_os().map(|(name, value)| (text(name), text(value))));
    // One thread: a sandbox answers one event at a time, often on a fraction of a core.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // A handful of sockets at most: Lambda, its runtime, and what is switched on. The default has room for 1,024 events.
    let runtime = runtime.enable_io().enable_time().max_io_events_per_tick(16).build()?;
    // On the heap: on its way down `block_on` moves what it is given, and each copy is stack to touch.
    runtime.block_on(Box::pin(serve(environment, audit)))
}

async fn serve(environment: Environment, audit: Audit) -> Result<(), Failure> {
    let aws = match Aws::read(&environment) {
        Ok(aws) => aws,
        // The rest is read too, so that all that is wrong is said at once.
        problems => return Ok(Config::with(&environment, problems).map(drop)?),
    };
    let connection = Connection::new(aws.authorities.clone())?;
    let endpoint = aws::endpoint(&aws).await;
    let prepared = prepare(&environment, aws, connection.clone(), audit);
    let events = match endpoint {
        Some(url) => connection.warm(&url, prepared).await,
        None => prepared.await,
    }?;
    Ok(events.await?)
}

/// All that the start needs no connection for. What it gives is the rest of the sandbox's life.
async fn prepare(
    environment: &Environment,
    aws: Aws,
    connection: Connection,
    audit: Audit,
) -> Result<impl Future<Output = Result<(), runtime::Ended>>, Problems> {
    let config = Config::with(environment, Ok(aws))?;
    let results = config.result_bus.map(|bus| Results::new(bus, aws::events(&config.aws, connection.another())));
    let schedules = aws::schedules(&config.aws, config.schedule, &connection);
    let client = aws::client(&config.aws, connection);
    let broker = Broker {
        client,
        allowlist: config.allowlist,
        doors: config.doors,
        audit: audit.measuring(config.metrics),
        reads_first: config.policy_budget,
        results,
        schedules,
        timing: Timing::DEPLOYED,
    };
    // What is followed is asked for here, where the CPU is not throttled; if it fails, the first request asks again.
    let _ = broker.allowlist.current().await;
    tracing::info!(rules = broker.allowlist.len() as u64, doors = broker.doors.names(), "ready");
    Ok(runtime::run(broker))
}
