//! What every process of a run has around it: the control plane, the certificates, Lambda's variables.

use std::net::SocketAddr;

use crate::Failure;
use crate::certificates::Certificates;
use crate::control_plane::ControlPlane;
use crate::program::{Program, here};
use crate::runtime_api::FUNCTION_ARN;

/// The surroundings.
pub(crate) struct Lab {
    pub(crate) control_plane: ControlPlane,
    certificates: Certificates,
    home: String,
}

impl Lab {
    pub(crate) fn new() -> Result<Self, Failure> {
        let certificates = Certificates::new(&here("target/certificates"))?;
        let control_plane = ControlPlane::start(certificates.server.clone())?;
        // An empty home: no one's own settings of AWS.
        let home = here("target/home");
        std::fs::create_dir_all(&home)?;
        Ok(Self { control_plane, certificates, home: home.to_string_lossy().into_owned() })
    }

    /// The variables that Lambda sets, and those that lead to the fakes.
    pub(crate) fn environment(&self, program: &Program, runtime_api: SocketAddr) -> Vec<(&'static str, String)> {
        let trusted = self.certificates.bundle.to_string_lossy().into_owned();
        let fixed = [
            ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_NAME", FUNCTION_ARN.rsplit(':').next().unwrap_or_default()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/permission-broker"),
            ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/03/02/[$LATEST]0123456789abcdef0123456789abcdef"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
            ("LANG", "en_US.UTF-8"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
            ("TZ", ":UTC"),
            ("_HANDLER", "bootstrap"),
        ];
        let mut variables: Vec<(&str, String)> = fixed.map(|(name, value)| (name, value.to_owned())).into();
        variables.extend([
            ("AWS_CA_BUNDLE", trusted.clone()),
            ("AWS_ENDPOINT_URL_LAMBDA", self.control_plane.url.clone()),
            ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
            // As long as a role's are.
            ("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2VjEXAMPLE".repeat(36)),
            ("HOME", self.home.clone()),
            ("SSL_CERT_FILE", trusted),
        ]);
        variables.extend(program.environment.iter().cloned());
        variables
    }
}
