//! The command line: the broker on this machine, with no AWS account.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use permission_broker::local::check;
use permission_broker::local::control_plane::ControlPlane;
use permission_broker::local::explain;
use permission_broker::local::play::{self, Options};
use permission_broker::local::progress::{self, Progress};
use permission_broker::local::report::{self, Step, Use, Wanted};
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
    /// Read each policy before it is written, for its size, as the broker does with BROKER_POLICY_BUDGET=on.
    #[arg(long, global = true)]
    policy_budget: bool,
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
    /// Tell what an allowlist says in plain words, and find what in it is wrong or does nothing. Ends with 0 if there
    /// is nothing to mend, with 1 if there is, with 2 if there is no allowlist to read.
    Check {
        /// The allowlist, a JSON file.
        #[arg(value_name = "ALLOWLIST")]
        file: PathBuf,
    },
    /// Write a page that shows who reaches which functions and layers, and what the allowlist would not give today.
    Report(Report),
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

/// Reads every policy of an account and region, with the credentials of the environment.
#[derive(Args)]
struct Report {
    /// Where Lambda answers, instead of the region's endpoint.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The file to write.
    #[arg(long, default_value = "permission-report.html", value_name = "FILE")]
    output: PathBuf,
    /// Only functions and layers whose name begins so.
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
    prefix: String,
    /// Read the policies of published versions of functions as well.
    #[arg(long)]
    versions: bool,
    /// Calls a second, of GetPolicy and of all others; AWS takes 15 of each.
    #[arg(long, default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// The name of the broker's function, whose own policy it leaves alone.
    #[arg(long, default_value = "permission-broker", value_name = "NAME")]
    broker: String,
    /// Show an example instead of an account: that of `--world`, or one that has a bit of everything.
    #[arg(long, conflicts_with_all = ["endpoint", "rate", "broker"])]
    demo: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let run = || -> Result<ExitCode, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        runtime.block_on(run(cli))
    };
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("broker: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Cli { command, scene }: Cli) -> Result<ExitCode, Failure> {
    let options = Options { raw_audit: scene.audit };
    let colour = wants_colour(io::stdout().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    let mut show = Show::new(io::stdout().lock(), colour);
    let mut code = ExitCode::SUCCESS;
    let result = match command.unwrap_or(Command::Play { folder: "events".into() }) {
        Command::Play { folder } => {
            let files = play::files(&folder)
                .map_err(|error| format!("{error}\nrun it in the checkout, or name a folder: broker play FOLDER"))?;
            // On a terminal the events themselves show how far it is.
            let mut progress = progress_where(!io::stdout().is_terminal());
            let stage = scene.stage()?.await?;
            let played = |done| progress.at("playing events", done, Some(files.len()));
            play::play_and_tell(&stage, &files, options, &mut show, played).await
        }
        Command::Invoke { file } => play::play(&scene.stage()?.await?, &[file], options, &mut show).await,
        Command::Explain { file, after } => explain::explain(&scene.stage()?.await?, &file, &after, &mut show).await,
        Command::Report(report) => {
            drop(show);
            return report.write(&scene).await.map(|()| code);
        }
        Command::Serve { port, control_plane_port, state, requester } => {
            drop(show);
            return serve(&scene, port, control_plane_port, &state, requester).await.map(|()| code);
        }
        Command::Check { file } => match read(Some(&file), ALLOWLIST) {
            Ok(text) => {
                let mut progress = progress_where(true);
                let checked = check::check_and_tell(&text, |done, all| progress.at("checking rules", done, Some(all)));
                drop(progress);
                code = ExitCode::from(u8::from(checked.mistakes() > 0));
                show.checked(&checked)
            }
            Err(error) => {
                eprintln!("broker: {error}");
                return Ok(ExitCode::from(2));
            }
        },
    };
    match result {
        // Whoever closed the pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(code),
        other => Ok(other.map(|()| code)?),
    }
}

impl Scene {
    fn allowlist(&self) -> Result<String, Failure> {
        read(self.allowlist.as_deref(), ALLOWLIST)
    }

    fn allowlist_name(&self, default: &str) -> String {
        self.allowlist.as_ref().map_or(default.to_owned(), |file| file.display().to_string())
    }

    fn control_plane(&self) -> Result<ControlPlane, Failure> {
        Ok(ControlPlane::from_world(&read(self.world.as_deref(), WORLD)?)?)
    }

    fn stage(&self) -> Result<impl Future<Output = Result<Stage, Failure>>, Failure> {
        let (control_plane, allowlist) = (self.control_plane()?, self.allowlist()?);
        Ok(async move { self.stage_of(control_plane, &allowlist).await })
    }

    async fn stage_of(&self, control_plane: ControlPlane, allowlist: &str) -> Result<Stage, Failure> {
        let mut stage = Stage::new(control_plane, allowlist).await?;
        stage.broker.reads_first = self.policy_budget;
        if self.results {
            stage.broker.results = Some(stage::results(&stage.control_plane, "results").await?);
        }
        Ok(stage)
    }
}

impl Report {
    async fn write(self, scene: &Scene) -> Result<(), Failure> {
        let rate = (!self.demo).then_some(self.rate);
        let wanted = Wanted { prefix: self.prefix, versions: self.versions, rate, ..Wanted::default() };
        let mut progress = progress_where(true);
        let told = |step| match step {
            Step::Listing(found) => progress.at("listing functions and layers", found, None),
            Step::Reading(done, all) => progress.at("reading policies", done, Some(all)),
        };
        let report = if self.demo {
            let world = ControlPlane::from_world(&read(scene.world.as_deref(), report::DEMO)?)?;
            let allowlist = read(scene.allowlist.as_deref(), report::DEMO_ALLOWLIST)?;
            report::of_world(world, (&scene.allowlist_name("the allowlist of the demo"), &allowlist), &wanted, told)
                .await?
        } else {
            // What is not text is no valid value of anything, and is refused where it matters.
            let text = |text: OsString| text.to_string_lossy().into_owned();
            let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
            let chosen = report::read(variables, scene.allowlist.clone(), self.endpoint)?;
            report::of_account(&chosen, &wanted, &self.broker, told).await?
        };
        drop(progress);
        std::fs::write(&self.output, report::html(&report, Use::File)?)
            .map_err(|error| format!("{}: {error}", self.output.display()))?;
        writeln!(io::stdout(), "{}: {}", self.output.display(), report.summary())?;
        Ok(())
    }
}

/// Progress on standard error, if that is a terminal and this the place for it.
fn progress_where(here: bool) -> Progress<io::Stderr> {
    let terminal = here && io::stderr().is_terminal();
    Progress::new(io::stderr(), progress::is_wanted(terminal, std::env::var_os("TERM").as_deref()))
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
    let stage = Arc::new(scene.stage_of(control_plane.clone(), &scene.allowlist()?).await?);
    eprintln!("API door       http://{api_at}/grants   (every request is taken as {requester})");
    eprintln!("control plane  http://{aws_at}   (policies in {})", state.display());
    eprintln!("report         http://{api_at}/   (in a browser; explains a request before it is sent)");
    eprintln!();
    eprintln!("  curl -s http://{api_at}/grants -d @events/direct-grant-account.json");
    eprintln!("  aws lambda get-policy --function-name orders --qualifier live --endpoint-url http://{aws_at}");
    tokio::select! {
        ended = serve::api(stage.clone(), api, requester, scene.allowlist_name(report::NAME_OF_EXAMPLES)) => Ok(ended?),
        ended = serve::schedules(stage) => Ok(ended?),
        () = control_plane.serve(aws) => Ok(()),
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
