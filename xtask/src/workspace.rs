//! What Cargo knows about this workspace: its members, their features, tests and dependencies.

use std::path::Path;

use serde_json::Value;

use crate::cargo;

/// Returns the root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lives in a folder of the repository")
}

#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) members: Vec<Member>,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// All features but `default`, in alphabetical order.
    pub(crate) features: Vec<String>,
    /// The names of its integration tests.
    pub(crate) tests: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Needed by its tests only.
    pub(crate) dev: bool,
    /// The versions it accepts; `*` where only a path was given.
    pub(crate) versions: String,
}

impl Workspace {
    pub(crate) fn load() -> Result<Workspace, String> {
        let printed = cargo::output(&["metadata", "--no-deps", "--format-version", "1"])?;
        let metadata: Value = serde_json::from_str(&printed).map_err(|error| format!("`cargo metadata`: {error}"))?;
        Ok(Workspace { members: objects(&metadata["packages"]).map(Member::read).collect() })
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// Returns every feature of every member that a user may switch on, as Cargo's `--features` takes them.
    pub(crate) fn public_features(&self) -> String {
        let of = |member: &Member| -> Vec<String> {
            member.public_features().map(|feature| format!("{}/{feature}", member.name)).collect()
        };
        self.members.iter().flat_map(of).collect::<Vec<_>>().join(",")
    }
}

impl Member {
    /// Returns the features that are not internal: a leading `_` marks those.
    pub(crate) fn public_features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(String::as_str).filter(|feature| !feature.starts_with('_'))
    }

    fn read(package: &Value) -> Member {
        let features = package["features"].as_object().into_iter().flatten();
        let is_test = |target: &&Value| objects(&target["kind"]).any(|kind| kind == "test");
        Member {
            name: text(&package["name"]),
            features: features.map(|(name, _)| name.clone()).filter(|name| name != "default").collect(),
            tests: objects(&package["targets"]).filter(is_test).map(|target| text(&target["name"])).collect(),
            dependencies: objects(&package["dependencies"]).map(Dependency::read).collect(),
        }
    }
}

impl Dependency {
    fn read(dependency: &Value) -> Dependency {
        Dependency {
            name: text(&dependency["name"]),
            dev: dependency["kind"] == "dev",
            versions: text(&dependency["req"]),
        }
    }
}

fn objects(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
