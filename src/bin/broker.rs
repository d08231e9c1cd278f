//! The command line: the broker on this machine, with no AWS account.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use permission_broker::local::control_plane::ControlPlane;
use permission_broker::local::explain;
use permission_broker::local::play::{self, Options};
use permission_broker::local::serve;
use permission_broker::local::show::{Show, wants_colour};
use permission_broker::local::stage::{self, ALLOWLIST, Stage, WORLD};
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The permission broker on this machine: the real handler and the real SDK, against an embedded Lambda
/// control plane. Without a command it plays the folder `events`.
#[derive(Parser)]
#[command(version, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    scene: Scene,
}

#[derive(Args)]
struct Scene {
    /// The allowlist, a JSON file; left out, that of the examples.
    #[arg(long, global = true, value_name = "FILE")]
    allowlist: Option<PathBuf>,
    /// The functions, layers and policies that exist, a JSON file; left out, those of the examples.
    #[arg(long, global = true, value_name = "FILE")]
    world: Option<PathBuf>,
    /// Show audit lines as they are written, whole as they are written.
    #[arg(long, global = true)]
    audit: bool,
    /// Publish each outcome on an event bus of the control plane, and show what arrives.
    #[arg(long, global = true)]
    results: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Play every event file of a folder, by name, and show the policies at the end.
    Play {
        /// The folder.
        #[arg(default_value = "events")]
        folder: PathBuf,
    },
    /// Hand one event file to the broker.
    Invoke {
        /// The event, in any of the envelopes of AWS.
        file: PathBuf,
    },
    /// Tell what a request would come to, and why, without making it.
    Explain {
        /// The request, bare or in any of the envelopes of AWS.
        file: PathBuf,
        /// A file that is played before it; may be given several times.
        #[arg(long, value_name = "FILE")]
        after: Vec<PathBuf>,
    },
    /// Open the API door and the control plane on loopback, with the policies kept on disk.
    Serve {
        /// The port of the API door; 0 takes a free one.
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// The port of the control plane, for AWS clients; 0 takes a free one.
        #[arg(long, default_value_t = 8081, value_name = "PORT")]
        control_plane_port: u16,
        /// The file that keeps functions, layers and policies.
        #[arg(long, default_value = "broker-state.json", value_name = "FILE")]
        state: PathBuf,
        /// Who asks: the ARN that an IAM authorizer would have verified.
        #[arg(long, default_value = "arn:aws:iam::123456789012:user/ci", value_name = "ARN")]
        requester: String,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let run = || -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        runtime.block_on(run(cli))
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("broker: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Cli { command, scene }: Cli) -> Result<(), Failure> {
    let options = Options { raw_audit: scene.audit };
    let colour = wants_colour(io::stdout().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    let mut show = Show::new(io::stdout().lock(), colour);
    let result = match command.unwrap_or(Command::Play { folder: "events".into() }) {
        Command::Play { folder } => {
            let files = play::files(&folder)
                .map_err(|error| format!("{error}\nrun it in the checkout, or name a folder: broker play FOLDER"))?;
            play::play(&scene.stage()?.await?, &files, options, &mut show).await
        }
        Command::Invoke { file } => play::play(&scene.stage()?.await?, &[file], options, &mut show).await,
        Command::Explain { file, after } => explain::explain(&scene.stage()?.await?, &file, &after, &mut show).await,
        Command::Serve { port, control_plane_port, state, requester } => {
            drop(show);
            return serve(&scene, port, control_plane_port, &state, requester).await;
        }
    };
    match result {
        // Whoever closed the pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

impl Scene {
    fn allowlist(&self) -> Result<String, Failure> {
        read(self.allowlist.as_deref(), ALLOWLIST)
    }

    fn control_plane(&self) -> Result<ControlPlane, Failure> {
        Ok(ControlPlane::from_world(&read(self.world.as_deref(), WORLD)?)?)
    }

    fn stage(&self) -> Result<impl Future<Output = Result<Stage, Failure>>, Failure> {
        let (control_plane, allowlist, results) = (self.control_plane()?, self.allowlist()?, self.results);
        Ok(async move { stage(control_plane, &allowlist, results).await })
    }
}

async fn stage(control_plane: ControlPlane, allowlist: &str, results: bool) -> Result<Stage, Failure> {
    let mut stage = Stage::new(control_plane, allowlist).await?;
    if results {
        stage.broker.results = Some(stage::results(&stage.control_plane, "results").await?);
    }
    Ok(stage)
}

fn read(path: Option<&Path>, default: &str) -> Result<String, Failure> {
    let Some(path) = path else { return Ok(default.to_owned()) };
    Ok(std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?)
}

async fn serve(
    scene: &Scene,
    port: u16,
    control_plane_port: u16,
    state: &Path,
    requester: String,
) -> Result<(), Failure> {
    let control_plane = if state.exists() { ControlPlane::load(state)? } else { scene.control_plane()? };
    control_plane.keep_at(Some(state.to_owned()));
    let api = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| format!("port {port}: {error}"))?;
    let aws = TcpListener::bind(("127.0.0.1", control_plane_port))
        .await
        .map_err(|error| format!("port {control_plane_port}: {error}"))?;
    let (api_at, aws_at) = (api.local_addr()?, aws.local_addr()?);
    let stage = Arc::new(stage(control_plane.clone(), &scene.allowlist()?, scene.results).await?);
    eprintln!("API door       http://{api_at}/grants   (every request is taken as {requester})");
    eprintln!("control plane  http://{aws_at}   (policies in {})", state.display());
    eprintln!();
    eprintln!("  curl -s http://{api_at}/grants -d @events/direct-grant-account.json");
    eprintln!("  aws lambda get-policy --function-name orders --qualifier live --endpoint-url http://{aws_at}");
    tokio::select! {
        ended = serve::api(stage.clone(), api, requester) => Ok(ended?),
        ended = serve::schedules(stage) => Ok(ended?),
        () = control_plane.serve(aws) => Ok(()),
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
