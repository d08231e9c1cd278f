//! Pages of what AWS lists: functions, their aliases and versions, layers and their versions.

use std::pin::Pin;
use std::time::Duration;

use aws_sdk_lambda::Client;

use super::{Answer, answer};

/// What AWS lists.
pub(crate) enum List<'a> {
    Functions,
    Layers,
    AliasesOf(&'a str),
    VersionsOf(&'a str),
    VersionsOfLayer(&'a str),
}

/// One answer of a list.
pub(crate) struct Page {
    /// None if it has no list, or an entry of it no name.
    pub(crate) names: Option<Vec<String>>,
    pub(crate) next: Option<String>,
}

/// On the heap: what waits for one page is no part of what waits for another.
pub(crate) type PageToCome<'a> = Pin<Box<dyn Future<Output = Answer<Page>> + Send + 'a>>;

impl List<'_> {
    /// Asks for a page.
    pub(crate) fn page<'a>(&self, client: &'a Client, marker: Option<String>, time: Duration) -> PageToCome<'a> {
        match *self {
            Self::Functions => {
                let send = client.list_functions().set_marker(marker).send();
                Box::pin(answer(time, 200, send, |page| Page {
                    names: page.functions.and_then(|list| list.into_iter().map(|entry| entry.function_name).collect()),
                    next: page.next_marker,
                }))
            }
            Self::Layers => {
                let send = client.list_layers().set_marker(marker).send();
                Box::pin(answer(time, 200, send, |page| Page {
                    names: page.layers.and_then(|list| list.into_iter().map(|entry| entry.layer_name).collect()),
                    next: page.next_marker,
                }))
            }
            Self::AliasesOf(name) => {
                let send = client.list_aliases().function_name(name).set_marker(marker).send();
                Box::pin(answer(time, 200, send, |page| Page {
                    names: page.aliases.and_then(|list| list.into_iter().map(|alias| alias.name).collect()),
                    next: page.next_marker,
                }))
            }
            Self::VersionsOf(name) => {
                let send = client.list_versions_by_function().function_name(name).set_marker(marker).send();
                Box::pin(answer(time, 200, send, |page| Page {
                    names: page.versions.and_then(|list| list.into_iter().map(|entry| entry.version).collect()),
                    next: page.next_marker,
                }))
            }
            Self::VersionsOfLayer(name) => {
                // The SDK has 0 for a number that is missing; AWS counts from 1.
                let number = |version: i64| (version > 0).then(|| version.to_string());
                let send = client.list_layer_versions().layer_name(name).set_marker(marker).send();
                Box::pin(answer(time, 200, send, move |page| Page {
                    names: page
                        .layer_versions
                        .and_then(|list| list.into_iter().map(|entry| number(entry.version)).collect()),
                    next: page.next_marker,
                }))
            }
        }
    }
}
