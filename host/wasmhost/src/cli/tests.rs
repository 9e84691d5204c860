//! The whole tree at once: it is sound, every setting can come from the
//! environment, and the help says what it said.

use super::Cli;
use clap::{Arg, Command, CommandFactory, Parser};

fn walk(command: &Command, path: &str, each: &mut dyn FnMut(&str, &Command)) {
    each(path, command);
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        walk(sub, &format!("{path} {}", sub.get_name()), each);
    }
}

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_and_option_says_what_it_is_for() {
    let mut tree = Cli::command();
    tree.build();
    walk(&tree, "wasmhost", &mut |path, command| {
        assert!(command.get_about().is_some(), "{path} has no help");
        for arg in command.get_arguments() {
            assert!(
                arg.get_help().is_some(),
                "{path}: {} has no help",
                arg.get_id()
            );
        }
    });
}

/// Flags of servers and of every verb are settings: they have a `WASMHOST_` name, too.
#[test]
fn settings_have_names_in_the_environment() {
    let tree = Cli::command();
    let servers = ["run-primary", "run-worker", "dev"];
    let of = |name: &str| {
        tree.find_subcommand(name)
            .into_iter()
            .flat_map(Command::get_arguments)
    };
    let settings = tree.get_arguments().chain(servers.into_iter().flat_map(of));
    let own = |arg: &&Arg| {
        !["help", "version", "quiet", "files", "keep"].contains(&arg.get_id().as_str())
    };
    let mut seen = 0;
    for arg in settings.filter(own) {
        let name = arg
            .get_env()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        assert!(name.starts_with("WASMHOST_"), "{}: {name:?}", arg.get_id());
        seen += 1;
    }
    assert!(seen > 15, "only {seen} settings were found");
}

#[test]
fn command_lines() {
    let check = |line: &str, fits: bool| {
        let words = line.split_whitespace();
        assert_eq!(Cli::try_parse_from(words).is_ok(), fits, "{line}");
    };
    check("wasmhost submit job.toml --wait", true);
    check(
        "wasmhost submit --module m.wasm --input {} --array 0..9 --arg -v --env A=b --wait",
        true,
    );
    check("wasmhost submit job.toml --module m.wasm", false);
    check("wasmhost submit job.toml --input x", false);
    check("wasmhost submit", false);
    check("wasmhost run-worker --join whj1_x --slots 0", false);
    check("wasmhost run-worker --primary h:1 --name a/b", false);
    check("wasmhost run-primary --tls-cert c", false);
    check("wasmhost dev --http 0.0.0.0:80", false);
    check("wasmhost token create --worker --client", false);
    check("wasmhost cancel job.3", false);
    check("wasmhost show job.3", true);
    check("wasmhost jobs --all --output json -q", true);
    check("wasmhost jobs --output yaml", false);
}
#[test]
fn the_help_says_what_it_said() {
    let mut text = String::new();
    let mut tree = Cli::command().term_width(100);
    tree.build();
    walk(&tree, "wasmhost", &mut |path, command| {
        let help = command.clone().render_help().to_string();
        // What every verb has is shown once.
        let own = help
            .split("Options of every verb:")
            .next()
            .filter(|_| path != "wasmhost");
        text.push_str(&format!(
            "$ {path} --help\n{}\n\n",
            own.unwrap_or(&help).trim_end()
        ));
    });
    insta::assert_snapshot!(text);
}
