//! The SDK's clients, with every setting that matters made in code: the environment cannot
//! switch retries on, leave a call without an end, or make the client panic.

use aws_config::SdkConfig;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::user_agent::UserAgentInterceptor;
use aws_sdk_eventbridge::Client as EventsClient;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_lambda::config::retry::{ReconnectMode, RetryConfig};
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::{
    BehaviorVersion, HttpClient, ProvideCredentials, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, disable_interceptor, dyn_dispatch_hint};
use aws_smithy_types::config_bag::ConfigBag;

use crate::config::Aws;
use crate::connection::Connection;
use crate::policy::StatusKept;
use crate::schedule::{Place, Schedules};

/// Builds a client over a connection. Credentials are the environment's: Lambda puts the role's there,
/// and starts a new environment before they expire.
pub fn client(aws: &Aws, connection: Connection) -> Client {
    client_with(aws, connection, EnvironmentVariableCredentialsProvider::new())
}

/// Leaves out what the SDK tells about itself with every call: a requester of AWS's support can do without, and
/// putting it together and signing it takes a tenth of a call's time. CloudTrail sees the broker's own name instead.
#[derive(Debug)]
struct Silent;

#[dyn_dispatch_hint]
impl Intercept for Silent {
    fn name(&self) -> &'static str {
        "Silent"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        const WHY: &str = "the broker's retries and its name are its own";
        let state = config.interceptor_state();
        state.store_put(disable_interceptor::<UserAgentInterceptor>(WHY));
        state.store_put(disable_interceptor::<InvocationIdInterceptor>(WHY));
        state.store_put(disable_interceptor::<RequestInfoInterceptor>(WHY));
        Ok(())
    }
}

/// Builds a client over another HTTP side, with credentials from elsewhere.
pub fn client_with(
    aws: &Aws,
    http: impl HttpClient + 'static,
    credentials: impl ProvideCredentials + 'static,
) -> Client {
    let shared = shared(&aws.region, aws.endpoint.clone(), http, credentials);
    let builder = aws_sdk_lambda::config::Builder::from(&shared);
    Client::from_conf(builder.interceptor(Silent).interceptor(StatusKept).build())
}

/// What has to be known to build a client for EventBridge, kept until one is needed.
pub fn events(aws: &Aws, connection: Connection) -> impl Fn() -> EventsClient + Send + Sync + 'static {
    events_with(aws, connection, EnvironmentVariableCredentialsProvider::new())
}

/// The same with credentials from elsewhere.
pub fn events_with(
    aws: &Aws,
    connection: Connection,
    credentials: impl ProvideCredentials + Clone + 'static,
) -> impl Fn() -> EventsClient + Send + Sync + 'static {
    let (region, endpoint) = (aws.region.clone(), aws.events_endpoint.clone());
    move || {
        let shared = shared(&region, endpoint.clone(), connection.clone(), credentials.clone());
        EventsClient::from_conf(aws_sdk_eventbridge::config::Builder::from(&shared).interceptor(Silent).build())
    }
}

/// The way to EventBridge Scheduler, if timed grants are set up. Nothing is built before the first of them.
pub fn schedules(aws: &Aws, place: Option<Place>, connection: &Connection) -> Option<Schedules> {
    schedules_with(aws, place, connection.another(), EnvironmentVariableCredentialsProvider::new())
}

/// The same over another HTTP side, with credentials from elsewhere.
pub fn schedules_with(
    aws: &Aws,
    place: Option<Place>,
    http: impl HttpClient + 'static,
    credentials: impl ProvideCredentials + 'static,
) -> Option<Schedules> {
    let (region, endpoint) = (aws.region.clone(), aws.schedules_endpoint.clone());
    Some(Schedules::new(place?, move || {
        let shared = shared(&region, endpoint, http, credentials);
        aws_sdk_scheduler::Client::from_conf(
            aws_sdk_scheduler::config::Builder::from(&shared).interceptor(Silent).interceptor(StatusKept).build(),
        )
    }))
}

/// What every client has in common.
fn shared(
    region: &str,
    endpoint: Option<String>,
    http: impl HttpClient + 'static,
    credentials: impl ProvideCredentials + 'static,
) -> SdkConfig {
    let mut shared = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        // A connection is kept or dropped by what became of it (`connection`), not by the SDK's guess.
        .retry_config(RetryConfig::disabled().with_reconnect_mode(ReconnectMode::ReuseAllConnections))
        // The broker's own clock ends every call, and the connection's is the net under it.
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(http);
    shared.set_endpoint_url(endpoint);
    shared.build()
}

/// The URL that calls will go to, for opening the connection ahead of the first one.
pub async fn endpoint(aws: &Aws) -> Option<String> {
    if let Some(url) = &aws.endpoint {
        return Some(url.clone());
    }
    let params = Params::builder().region(aws.region.clone()).build().ok()?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.ok()?;
    Some(endpoint.url().to_owned())
}
