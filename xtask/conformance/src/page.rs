//! The report as one self-contained page.

use std::fmt::Write;

use cachekit_testkit::conformance::{Finding, Report, Rule, Status};

/// Renders `report` as an HTML document that needs nothing else.
pub(crate) fn render(report: &Report) -> String {
    let rules = report.rules();
    let mut rows = String::new();
    let mut contract = "";
    for rule in rules {
        let group = rule.id.split('.').next().unwrap_or_default();
        if group != contract {
            contract = group;
            let columns = report.backends.len() + 2;
            let _ = write!(rows, "<tr class=group><th colspan={columns} scope=rowgroup>{}</th></tr>", escape(group));
        }
        rows.push_str(&row(report, rule));
    }
    let heads: String = report.backends.iter().map(|backend| format!("<th>{}</th>", escape(&backend.name))).collect();
    let offers: String = report
        .backends
        .iter()
        .map(|backend| {
            let abilities = match backend.abilities.as_slice() {
                [] => "no abilities".to_owned(),
                names => names.iter().map(|name| format!("<span class=ability>{}</span>", escape(name))).collect(),
            };
            format!("<li><b>{}</b> {abilities}</li>", escape(&backend.name))
        })
        .collect();
    let [pass, fail, skip] = ["pass", "fail", "skip"].map(|status| report.count(status));
    let verdict = if report.passed() { "Every MUST is kept" } else { "A MUST is not kept" };
    let class = if report.passed() { "pass" } else { "fail" };
    let (version, profile, seed) = (Report::VERSION, report.profile.as_str(), report.seed);
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width, initial-scale=1\"><title>Conformance: {verdict}</title>\
         <style>{STYLE}</style><main><header><p class=eyebrow>CacheKit conformance suite {version}</p>\
         <h1 class={class}>{verdict}</h1><p class=sub>Backends, profile <b>{profile}</b>, seed <code>{seed}</code></p></header>\
         <section class=cards><div class=\"card pass\"><b>{pass}</b>passed</div>\
         <div class=\"card fail\"><b>{fail}</b>failed</div><div class=\"card skip\"><b>{skip}</b>skipped</div></section>\
         <ul class=offers>{offers}</ul>\
         <input id=q type=search placeholder=\"Show rules that hold …\" aria-label=\"Show rules that hold\">\
         <div class=scroll><table><thead><tr><th>Rule</th><th>Level</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>\
         </main><script>{SCRIPT}</script></html>\n"
    )
}

fn row(report: &Report, rule: &Rule) -> String {
    let mut cells = String::new();
    let mut notes = String::new();
    for backend in &report.backends {
        let Some(finding) = backend.finding(rule.id) else {
            cells.push_str("<td></td>");
            continue;
        };
        let (status, ms) = (finding.status.as_str(), finding.took.as_millis());
        let _ = write!(cells, "<td><span class=\"mark {status}\" title=\"{ms} ms\">{}</span></td>", sign(finding));
        match &finding.status {
            Status::Pass => {}
            Status::Skip { reason } => {
                let _ = write!(notes, "<p class=note><b>{}</b> skipped: {}</p>", escape(&backend.name), escape(reason));
            }
            Status::Fail { expected, got } => {
                let again = format!(
                    "cargo xtask conformance --backend {} --rule {} --profile {} --seed {}",
                    backend.name,
                    rule.id,
                    report.profile.as_str(),
                    report.seed
                );
                let _ = write!(
                    notes,
                    "<dl class=broken><dt>{}: expected</dt><dd>{}</dd><dt>got</dt><dd>{}</dd>\
                     <dt>again</dt><dd><code>{}</code></dd></dl>",
                    escape(&backend.name),
                    escape(expected),
                    escape(got),
                    escape(&again)
                );
            }
        }
    }
    let level = rule.level.as_str();
    format!(
        "<tr class=rule><td><details><summary><code>{}</code><span class=sentence>{}</span></summary>\
         <blockquote>{}</blockquote></details>{notes}</td><td class=level>{level}</td>{cells}</tr>",
        escape(rule.id),
        escape(rule.sentence),
        escape(rule.clause())
    )
}

fn sign(finding: &Finding) -> &'static str {
    match finding.status {
        Status::Pass => "✓ pass",
        Status::Fail { .. } => "✗ fail",
        Status::Skip { .. } => "– skip",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_backend_says_cannot_break_the_page() {
        assert_eq!(escape("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}
