//! The reference page: the whole catalogue as Markdown.

use std::fmt::{self, Write as _};

use super::{ErrorCode, Explanation};

/// The page: what holds for all codes, a table of them, then a section for each.
pub(super) fn page() -> String {
    let mut page = String::new();
    write_page(&mut page).expect("writing to a `String` does not fail");
    page
}

fn write_page(page: &mut String) -> fmt::Result {
    page.push_str(PREFACE);
    page.push_str("| code | class | kind | retried | trips breaker | meaning |\n");
    page.push_str("| --- | --- | --- | :-: | :-: | --- |\n");
    for &code in ErrorCode::ALL {
        let mark = if code.is_addition() { "⁺" } else { "" };
        writeln!(
            page,
            "| [{code}](#{anchor}){mark} | {class} | {kind} | {retried} | {counted} | {title} |",
            anchor = anchor(code),
            class = code.class(),
            kind = code.kind(),
            retried = code.retried(),
            counted = counted(code),
            title = code.title(),
        )?;
    }
    for &code in ErrorCode::ALL {
        write_section(page, code)?;
    }
    Ok(())
}

fn write_section(page: &mut String, code: ErrorCode) -> fmt::Result {
    let Explanation { meaning, causes, fixes, avoid, meanwhile, .. } = code.explain();
    let addition = if code.is_addition() { " · an addition of the Rust implementation" } else { "" };
    // The heading is the bare code, so that its anchor is the same wherever the page is rendered.
    writeln!(page, "\n## {code}\n\n**{}**\n", code.title())?;
    writeln!(
        page,
        "{} · {} · retried: {} · trips breaker: {}{addition}\n\n{meaning}",
        code.class(),
        code.kind(),
        code.retried(),
        counted(code)
    )?;
    page.push_str("\n### How it comes about\n\n");
    for cause in *causes {
        writeln!(page, "- {cause}")?;
    }
    page.push_str("\n### How to fix it\n\n");
    for (step, fix) in fixes.iter().enumerate() {
        writeln!(page, "{}. {fix}", step + 1)?;
    }
    writeln!(page, "\n### How to avoid it\n\n{avoid}\n\n### Meanwhile\n\n{meanwhile}")
}

fn anchor(code: ErrorCode) -> String {
    code.as_str().to_ascii_lowercase()
}

fn counted(code: ErrorCode) -> &'static str {
    if code.trips_breaker() { "yes" } else { "no" }
}

const PREFACE: &str = "\
<!-- Made from the catalogue in cachekit-core/src/contract/error/catalogue/. Do not edit: change the catalogue and run
     UPDATE_DOCS=1 cargo test -p cachekit-core --test errors -->

# Error codes

Every error of CacheKit has a code. This page says what each of them means, how it comes about, what to do, and what a
program does meanwhile. `ErrorCode::explain` has the same texts.

- **The cache may make a program slower, never wrong and never down.** Cached functions and `get_or_load` go on without
  the cache where they can; \"Meanwhile\" says how. `fail_closed` turns that off for functions that return a `Result`.
- **Direct calls** (`get`, `set`, ..) always return the error.
- **Retried** says that the same call may succeed when repeated; `Error::is_retryable` may say no for a single error, such
  as a spent quota. **Trips breaker** says that the circuit breaker counts it as a failure of the backend.
- E010 to E014 are Redis, E060 to E066 any other backend. Codes marked ⁺ are additions of the Rust implementation to
  CacheKit's published codes.
- Errors never show a master key, an API key, a password or a cached value, and a key only shortened.
- Commands name `CACHEKIT_REDIS_URL`; where only `REDIS_URL` is set, put that instead. Words in capitals, such as `HOST`,
  `KEY` and `ADMIN_URL` (a Redis URL of somebody who may do more), stand for values of yours.

";
