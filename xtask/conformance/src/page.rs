//! The report as one self-contained page.

use std::fmt::{self, Write};

use cachekit_testkit::conformance::{Report, Status};
use cachekit_testkit::drills::{DrillKind, DrillReport, DrillStatus};

use crate::flags::Suite;
use crate::text::drill_id;
use crate::whole::{Asked, Whole};

/// Renders `report` as an HTML document that needs nothing else.
pub(crate) fn render(report: &Whole) -> String {
    let shown = || report.suites.iter().copied().filter(|&suite| report.has_any(suite));
    let sections: String =
        shown().map(|suite| if suite == Suite::Errors { drills(report) } else { rules(report, suite) }).collect();
    let jumps: String = shown().map(|suite| jump(report, suite)).collect();
    let cards: String = [("pass", "passed"), ("fail", "failed"), ("skip", "skipped"), ("pending", "pending")]
        .map(|(status, word)| {
            let count = report.count(status);
            let class = if count > 0 { status } else { "nought" };
            format!("<div class=\"card {class}\"><b>{count}</b>{word}</div>")
        })
        .concat();
    let broken = broken(report);
    let (verdict, class) = match report.passed() {
        true => ("Every promise is kept", "pass"),
        false => ("A promise is not kept", "fail"),
    };
    let (version, profile, seed) = (Report::VERSION, report.profile.as_str(), report.seed);
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width, initial-scale=1\"><title>Conformance: {verdict}</title>\
         <style>{STYLE}</style><main><header><p class=eyebrow>CacheKit conformance suite {version}</p>\
         <h1 class={class}>{verdict}</h1><p class=sub>Profile <b>{profile}</b>, seed <code>{seed}</code></p></header>\
         <section class=cards>{cards}</section>{broken}<nav>{jumps}</nav>\
         <input id=q type=search placeholder=\"Show rules and codes that hold …\" aria-label=\"Show rules and codes that hold\">\
         {sections}<p class=none hidden>Nothing holds that.</p></main><script>{SCRIPT}</script></html>\n"
    )
}

/// Where to find what failed.
fn broken(report: &Whole) -> String {
    let mut links = String::new();
    let mut link = |id: &str, what: &str| {
        let (id, what) = (Escaped(id), Escaped(what));
        let _ = write!(links, "<li><a href=\"#{id}\">{id}</a> {what}</li>");
    };
    for subject in &report.subjects {
        for found in subject.findings.iter().filter(|found| found.status.as_str() == "fail") {
            link(found.asked.id, &format!("{} of {}", found.asked.level.as_str(), subject.name));
        }
    }
    for drill in report.drills.iter().filter(|drill| drill.status == DrillStatus::Fail) {
        link(drill.code.as_str(), drill.drill.as_str());
    }
    if links.is_empty() { links } else { format!("<ul class=links>{links}</ul>") }
}

fn jump(report: &Whole, suite: Suite) -> String {
    let statuses: Vec<&str> = match suite {
        Suite::Errors => report.drills.iter().map(|drill| drill.status.as_str()).collect(),
        suite => {
            let subjects = report.of(suite);
            subjects.iter().flat_map(|subject| &subject.findings).map(|found| found.status.as_str()).collect()
        }
    };
    let failed = statuses.iter().filter(|status| **status == "fail").count();
    let passed = statuses.iter().filter(|status| **status == "pass").count();
    let (class, count) = if failed > 0 { ("fail", format!("{failed} failed")) } else { ("pass", passed.to_string()) };
    format!("<a href=#{}>{} <b class={class}>{count}</b></a>", suite.name(), title(suite))
}

fn title(suite: Suite) -> &'static str {
    match suite {
        Suite::Backend => "Backends",
        Suite::Serializer => "Serializers",
        Suite::KeyProvider => "Key providers",
        Suite::Policy => "Policies",
        Suite::Errors => "Errors",
    }
}

/// Rules by subjects.
fn rules(report: &Whole, suite: Suite) -> String {
    let subjects = report.of(suite);
    let run = |asked: &Asked| subjects.iter().any(|subject| subject.finding(asked.id).is_some());
    let mut rows = String::new();
    let mut contract = "";
    for rule in Asked::all(suite, "").into_iter().filter(run) {
        let group = rule.id.split('.').next().unwrap_or_default();
        // A suite of one contract needs no headings.
        if group != contract && suite == Suite::Backend {
            contract = group;
            let columns = subjects.len() + 2;
            let _ = write!(rows, "<tr class=group><th colspan={columns} scope=rowgroup>{}</th></tr>", Escaped(group));
        }
        rows.push_str(&row(report, suite, rule));
    }
    let heads: String =
        subjects.iter().map(|subject| format!("<th class=mark-column>{}</th>", Escaped(&subject.name))).collect();
    let offers = match suite {
        Suite::Backend => offers(report),
        _ => String::new(),
    };
    section(suite, &offers, &format!("<th>Rule</th><th>Level</th>{heads}"), &rows)
}

/// Which abilities each backend has.
fn offers(report: &Whole) -> String {
    let of = |subject: &&crate::whole::Subject| {
        let abilities = match subject.abilities.as_slice() {
            [] => "no abilities".to_owned(),
            names => names.iter().map(|name| format!("<span class=ability>{}</span>", Escaped(name))).collect(),
        };
        format!("<li><b>{}</b> {abilities}</li>", Escaped(&subject.name))
    };
    format!("<ul class=offers>{}</ul>", report.of(Suite::Backend).iter().map(of).collect::<String>())
}

fn row(report: &Whole, suite: Suite, rule: Asked) -> String {
    let mut cells = String::new();
    let mut notes = String::new();
    for subject in report.of(suite) {
        let Some(found) = subject.finding(rule.id) else {
            cells.push_str("<td></td>");
            continue;
        };
        cells.push_str(&mark(found.status.as_str(), &format!("{} ms", found.took.as_millis())));
        match &found.status {
            Status::Pass => {}
            Status::Skip { reason } => {
                let (name, reason) = (Escaped(&subject.name), Escaped(reason));
                let _ = write!(notes, "<p class=note><b>{name}</b> skipped: {reason}</p>");
            }
            Status::Fail { expected, got } => {
                let again = report.again(suite, Some(&subject.name), rule.id);
                let _ = write!(
                    notes,
                    "<dl class=broken><dt>{}: expected</dt><dd>{}</dd><dt>got</dt><dd>{}</dd>\
                     <dt>again</dt><dd><code>{}</code></dd></dl>",
                    Escaped(&subject.name),
                    Escaped(expected),
                    Escaped(got),
                    Escaped(&again)
                );
            }
        }
    }
    let (id, sentence, level) = (Escaped(rule.id), Escaped(rule.sentence), rule.level.as_str());
    let what = match rule.clause {
        "" => format!("<code>{id}</code><span class=sentence>{sentence}</span>"),
        clause => format!(
            "<details><summary><code>{id}</code><span class=sentence>{sentence}</span></summary>\
             <blockquote>{}</blockquote></details>",
            Escaped(clause)
        ),
    };
    format!("<tr class=rule id=\"{id}\"><td>{what}{notes}</td><td class=level>{level}</td>{cells}</tr>")
}

/// Codes by drills.
fn drills(report: &Whole) -> String {
    let mut rows = String::new();
    let mut codes: Vec<_> = report.drills.iter().map(|drill| drill.code).collect();
    codes.dedup();
    for code in codes {
        let of = |kind| report.drills.iter().find(|drill| drill.code == code && drill.drill == kind);
        let (fake, real) = (of(DrillKind::Fake), of(DrillKind::Real));
        let cell = |drill: Option<&DrillReport>| {
            drill.map_or_else(|| "<td></td>".to_owned(), |drill| mark(drill.status.as_str(), drill.drill.as_str()))
        };
        let notes: String = [fake, real].into_iter().flatten().map(|drill| note(report, drill)).collect();
        let (class, title) = (code.class(), Escaped(code.title()));
        let _ = write!(
            rows,
            "<tr class=rule id={code}><td><details><summary><code>{code}</code> <span class=class>{class}</span>\
             <span class=sentence>{title}</span></summary>{notes}</details>{}</td>{}{}</tr>",
            [fake, real].into_iter().flatten().map(|drill| alarm(report, drill)).collect::<String>(),
            cell(fake),
            cell(real)
        );
    }
    section(Suite::Errors, "", "<th>Code</th><th class=mark-column>fake</th><th class=mark-column>real</th>", &rows)
}

/// What a drill saw, or waits for.
fn note(report: &Whole, drill: &DrillReport) -> String {
    match drill.status {
        DrillStatus::Fail => String::new(),
        _ => {
            let again = report.again(Suite::Errors, None, &drill_id(drill));
            let (kind, observed) = (drill.drill.as_str(), Escaped(&drill.observed));
            format!("<p class=note title=\"{}\"><b>{kind}</b> {observed}</p>", Escaped(&again))
        }
    }
}

/// What is wrong with a drill, and how to see it again.
fn alarm(report: &Whole, drill: &DrillReport) -> String {
    if drill.status != DrillStatus::Fail {
        return String::new();
    }
    let (kind, again) = (drill.drill.as_str(), report.again(Suite::Errors, None, &drill_id(drill)));
    format!(
        "<dl class=broken><dt>{kind}: got</dt><dd>{}</dd><dt>again</dt><dd><code>{}</code></dd></dl>",
        Escaped(&drill.observed),
        Escaped(&again)
    )
}

fn section(suite: Suite, before: &str, heads: &str, rows: &str) -> String {
    format!(
        "<section class=suite id={}><h2>{}</h2>{before}<div class=scroll><table><thead><tr>{heads}</tr></thead>\
         <tbody>{rows}</tbody></table></div></section>",
        suite.name(),
        title(suite)
    )
}

fn mark(status: &str, title: &str) -> String {
    let sign = match status {
        "pass" => "✓",
        "fail" => "✗",
        "skip" => "–",
        _ => "…",
    };
    format!(
        "<td class=mark-column><span class=\"mark {status}\" title=\"{}\">{sign} {status}</span></td>",
        Escaped(title)
    )
}

/// Text that cannot break the page.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_backend_says_cannot_break_the_page() {
        assert_eq!(Escaped("<b a=\"1\">&").to_string(), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}
