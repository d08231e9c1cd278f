//! The Python rival: boto3 under the runtime client of AWS's own images, in a virtual environment of its own.

use std::process::{Command, Stdio};

use crate::Failure;
use crate::program::{Program, here};

/// The program, with its packages installed.
pub(crate) fn python() -> Result<Program, Failure> {
    let (folder, requirements) = (here("target/python"), here("rivals/python/requirements.txt"));
    let (interpreter, installed) = (folder.join("bin/python"), folder.join("installed.txt"));
    let wanted = std::fs::read_to_string(&requirements)?;
    if std::fs::read_to_string(&installed).ok().as_ref() != Some(&wanted) {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&folder);
        let mut pip = Command::new(&interpreter);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements);
        if !runs(venv) || !runs(pip) || std::fs::write(&installed, wanted).is_err() {
            return Err("python3 or the packages of its rival are not to be had here: --without-python".into());
        }
    }
    let command = [interpreter.into(), "-m".into(), "awslambdaric".into(), "handler.answer".into()];
    let path = here("rivals/python").to_string_lossy().into_owned();
    // The sources stay as they are: what is compiled goes where everything else goes that is built here.
    let cache = folder.join("cache").to_string_lossy().into_owned();
    Ok(Program {
        name: "boto3",
        command: command.into(),
        environment: vec![("PYTHONPATH", path), ("PYTHONPYCACHEPREFIX", cache)],
        binary: None,
        calls: 1,
        audit_lines: 0,
    })
}

fn runs(mut command: Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}
