//! Which part of the broker a function belongs to, by the crates in its name.

use rustc_demangle::try_demangle;

const TLS: &str = "TLS";
const CLIENTS: &str = "AWS's SDK: the clients";
const SHARED: &str = "AWS's SDK: what they share";
const DIGESTS: &str = "the signature of a call, digests";
const HTTP: &str = "HTTP";
const RUNTIME: &str = "the Lambda runtime, tokio";
const LOG: &str = "tracing";
const JSON: &str = "JSON";
const BROKER: &str = "the broker's own code";
const STD: &str = "Rust's standard library";
const MEMORY: &str = "memory: given, taken back, copied, compared";
const LIBC: &str = "the C library otherwise";
const LOADER: &str = "the dynamic loader";
const REST: &str = "the rest";

/// All parts, in the order in which they are shown.
pub(crate) const PARTS: [&str; 14] =
    [TLS, CLIENTS, SHARED, DIGESTS, HTTP, RUNTIME, LOG, JSON, BROKER, STD, MEMORY, LIBC, LOADER, REST];

/// The part of a function. The build optimizes across crates: what it put into a caller counts for that caller.
pub(crate) fn part(object: &str, symbol: &str) -> &'static str {
    match object.rsplit('/').next().unwrap_or_default() {
        file if file.starts_with("ld-linux") => LOADER,
        file if file.starts_with("lib") && file.contains(".so") => of_libc(symbol),
        _ => of_broker(symbol),
    }
}

/// Code of no part of the broker, such as the paddings between its functions.
pub(crate) fn nameless() -> &'static str {
    REST
}

/// What a function is called in Rust, as a path; C's names stay as they are.
pub(crate) fn path(symbol: &str) -> String {
    try_demangle(symbol).map_or_else(|_| symbol.to_owned(), |name| format!("{name:#}"))
}

fn of_broker(symbol: &str) -> &'static str {
    if symbol.starts_with("0x") {
        return REST;
    }
    if try_demangle(symbol).is_ok() {
        return of_path(&path(symbol));
    }
    // The rest of what is linked in and not Rust is C and assembly, nearly all of it of `ring`.
    if symbol.starts_with("rust_") || symbol == "main" { STD } else { TLS }
}

/// A function of the standard library belongs to whoever had it compiled for a type.
fn of_path(path: &str) -> &'static str {
    crates(path).map(of_crate).find(|part| *part != STD).unwrap_or(STD)
}

/// What is loaded beside the C library, GCC's unwinder and the library of mathematics, counts with it.
fn of_libc(symbol: &str) -> &'static str {
    let memory = ["alloc", "free", "mem", "chunk"].iter().any(|word| symbol.contains(word));
    if memory { MEMORY } else { LIBC }
}

/// The crates in a path: what is before `::`, and not after one.
fn crates(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices("::").filter_map(|(at, _)| {
        let before = path[..at].trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let name = &path[before.len()..at];
        (!name.is_empty() && !before.ends_with("::")).then_some(name)
    })
}

/// With the crates that a part alone uses.
fn of_crate(name: &str) -> &'static str {
    match name {
        "ring" | "rustls" | "rustls_pki_types" | "tokio_rustls" | "untrusted" | "webpki" | "webpki_roots" => TLS,
        "aws_sigv4" | "digest" | "hex" | "hmac" | "hybrid_array" | "sha2" => DIGESTS,
        "arc_swap" | "base64_simd" | "regex_lite" | "time" => SHARED,
        "bytes" | "form_urlencoded" | "http" | "http_body" | "http_body_util" | "httparse" | "hyper" | "hyper_util"
        | "percent_encoding" | "want" => HTTP,
        "futures_channel"
        | "futures_util"
        | "lambda_runtime"
        | "lambda_runtime_api_client"
        | "mio"
        | "socket2"
        | "tokio"
        | "tower" => RUNTIME,
        "tracing" | "tracing_core" | "tracing_subscriber" => LOG,
        "itoa" | "ryu" | "serde" | "serde_core" | "serde_json" | "serde_path_to_error" | "zmij" => JSON,
        "permission_broker" => BROKER,
        // `__rustc` has the functions that allocate.
        "__rustc" => MEMORY,
        // With the crates that it is made of; half of them show where a panic comes from.
        "addr2line" | "alloc" | "compiler_builtins" | "core" | "gimli" | "hashbrown" | "memchr" | "miniz_oxide"
        | "panic_unwind" | "rustc_demangle" | "std" | "std_detect" => STD,
        name if name.starts_with("aws_sdk_") => CLIENTS,
        name if name.starts_with("aws_") => SHARED,
        _ => REST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_code_belongs_to_the_first_other_crate() {
        let of = [
            ("core::ptr::drop_in_place::<alloc::vec::Vec<aws_types::region::Region>>", SHARED),
            ("<aws_sdk_lambda::Client as core::clone::Clone>::clone", CLIENTS),
            ("<&mut serde_json::de::Deserializer<_>>::next::<permission_broker::json::Text>", JSON),
            ("<alloc::vec::Vec<u8>>::extend_from_slice", STD),
            ("fastrand::global_rng::u64", REST),
        ];
        for (path, part) in of {
            assert_eq!(of_path(path), part, "{path}");
        }
    }

    #[test]
    fn the_file_decides_what_is_not_of_the_broker() {
        assert_eq!(part("/lib64/ld-linux-x86-64.so.2", "strcmp"), LOADER);
        assert_eq!(part("/lib/libc.so.6", "_int_malloc"), MEMORY);
        assert_eq!(part("/lib/libc.so.6", "strtoul"), LIBC);
        assert_eq!(part("/var/task/bootstrap", "ring_core_0_17_14__x25519_sc_reduce"), TLS);
    }
}
