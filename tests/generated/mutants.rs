//! Mutation tests of the checks on native modules: each attribute of each generated resource is dropped and
//! altered. Terraform, or the comparison with the graph, must detect every such mutant.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Body, Structure};
use tandem::module::Flavor;
use tandem::project::Part;
use tandem::spec::App;

use crate::native::{all_differences, apply, configuration, write_zip};
use crate::project::{copy, generate, read, specs, terraform};

/// Mutants that may survive, by the end of their path, and the reason.
const SURVIVORS: &[(&str, &str)] = &[
    ("depends_on", "it sets the order; the state does not show it, and the stand-in has no order"),
    ("egress.description", "a description without effect"),
    (
        "source_code_hash dropped",
        "AWS computes it; without it Terraform does not detect new code in the same file",
    ),
];

/// Mutants that survive in a spec whose tasks have another capacity: the spec, the end of their path, and a spec that
/// detects them. A launch type and the blocks of a strategy exclude each other.
const OTHER_CAPACITY: &[(&str, &str, &str)] = &[
    ("container_task", "capacity_provider_strategy.content.capacity_provider altered", "mixed"),
    ("container_task", "capacity_provider_strategy.content.weight altered", "mixed"),
    ("container_task", "capacity_provider_strategy.content.weight dropped", "mixed"),
    ("mixed", "ecs_parameters.launch_type dropped", "container_task"),
    ("scheduled-task", "capacity_provider_strategy.content.capacity_provider altered", "mixed"),
    ("scheduled-task", "capacity_provider_strategy.content.weight altered", "mixed"),
    ("scheduled-task", "capacity_provider_strategy.content.weight dropped", "mixed"),
];

/// Number of mutants per spec, spread evenly over it; with `TANDEM_FULL` set all mutants run.
const SAMPLE: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Dropped,
    Altered,
}

/// Collects every attribute of the resources in a file, in the order of a walk through it.
fn attributes(body: &Body, path: &str, found: &mut Vec<String>) {
    for structure in body {
        match structure {
            Structure::Attribute(attribute) => found.push(format!("{path}{}", attribute.key.as_str())),
            Structure::Block(block) => {
                let name = match block.labels.as_slice() {
                    [] => block.ident.as_str().to_owned(),
                    labels => labels
                        .iter()
                        .map(hcl_edit::structure::BlockLabel::as_str)
                        .collect::<Vec<_>>()
                        .join("."),
                };
                let skipped = path.is_empty() && block.ident.as_str() != "resource";
                if !skipped {
                    attributes(&block.body, &format!("{path}{name}."), found);
                }
            }
        }
    }
}

/// Changes the attribute with that number in the same walk.
fn mutate(body: &mut Body, top: bool, number: &mut usize, change: Change) -> bool {
    let mut drop = None;
    for (index, mut structure) in body.iter_mut().enumerate() {
        if let Some(mut attribute) = structure.as_attribute_mut() {
            if *number > 0 {
                *number -= 1;
                continue;
            }
            match change {
                Change::Dropped => drop = Some(index),
                Change::Altered => {
                    *attribute.value_mut() = match &attribute.value {
                        Expression::Bool(value) => Expression::from(!*value.value()),
                        Expression::Number(number) => {
                            Expression::from(number.value().as_i64().unwrap_or(0) + 1)
                        }
                        Expression::Array(_) => {
                            Expression::Array(vec![Expression::from("altered")].into_iter().collect())
                        }
                        Expression::Object(_) => Expression::Object(hcl_edit::expr::Object::new()),
                        _ => Expression::from("altered"),
                    };
                    return true;
                }
            }
            break;
        } else if let Some(block) = structure.as_block_mut() {
            if top && block.ident.as_str() != "resource" {
                continue;
            }
            if mutate(&mut block.body, false, number, change) {
                return true;
            }
        }
    }
    drop.is_some_and(|index| {
        body.remove(index);
        true
    })
}

struct Mutant {
    file: PathBuf,
    number: usize,
    change: Change,
    name: String,
}

fn mutants(modules: &Path) -> Vec<Mutant> {
    let mut files = vec![PathBuf::from("main.tf")];
    for entry in std::fs::read_dir(modules.join("modules")).expect("modules") {
        files.push(Path::new("modules").join(entry.expect("a module").file_name()).join("main.tf"));
    }
    files.sort();
    let mut mutants = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(modules.join(&file)).expect("a file");
        let mut found = Vec::new();
        attributes(&hcl_edit::parser::parse_body(&text).expect("Terraform"), "", &mut found);
        for (number, name) in found.into_iter().enumerate() {
            for (change, what) in [(Change::Dropped, "dropped"), (Change::Altered, "altered")] {
                mutants.push(Mutant { file: file.clone(), number, change, name: format!("{name} {what}") });
            }
        }
    }
    mutants
}

/// Returns true if a mutant survives: no check detects the change.
fn lives(root: &Path, modules: &Path, app: &App, zip: &Path, mutant: &Mutant) -> bool {
    let path = modules.join(&mutant.file);
    let before = std::fs::read_to_string(&path).expect("a file");
    let mut body = hcl_edit::parser::parse_body(&before).expect("Terraform");
    assert!(mutate(&mut body, true, &mut mutant.number.clone(), mutant.change), "{}", mutant.name);
    std::fs::write(&path, body.to_string()).expect("written");
    let _ = std::fs::remove_file(root.join("mutant.tfstate"));
    let state = apply(root, "mutant.tfstate");
    std::fs::write(&path, before).expect("written");
    match state {
        Err(_) => false,
        // The comparison panics if a resource is missing; that counts as detected.
        Ok(state) => {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| all_differences(app, &state, zip)))
                .is_ok_and(|differences| differences.is_empty())
        }
    }
}

#[test]
fn every_mutant_of_a_native_module_is_caught() {
    let work = tempfile::tempdir().expect("a folder");
    let zip = write_zip(work.path());
    let full = std::env::var_os("TANDEM_FULL").is_some();
    let alive = Mutex::new(Vec::new());
    for (offset, (name, spec)) in specs(work.path()).into_iter().enumerate() {
        let app = read(&spec);
        let modules = work.path().join(&name);
        generate(&app, &spec, &modules, Flavor::Native, Some(Part::Modules));
        let all = mutants(&modules);
        // Dropped and altered mutants alternate: an odd step selects both.
        let step = if full { 1 } else { (all.len() / SAMPLE) | 1 };
        let chosen: Vec<Mutant> = all.into_iter().skip(offset % step).step_by(step).collect();
        let next = Mutex::new(chosen.into_iter());
        std::thread::scope(|scope| {
            for worker in 0..2 {
                let (next, alive, app, zip, name) = (&next, &alive, &app, &zip, &name);
                let own = work.path().join(format!("{name}-{worker}"));
                copy(&modules, &own.join("modules"));
                scope.spawn(move || {
                    let (root, modules) = (own.join("root"), own.join("modules"));
                    std::fs::create_dir_all(&root).expect("a folder");
                    std::fs::write(root.join("main.tf.json"), configuration(&modules, app, zip).to_string())
                        .expect("written");
                    terraform(&root, &["init", "-no-color", "-input=false"]).expect_success();
                    loop {
                        let Some(mutant) = next.lock().expect("the list").next() else { break };
                        let excused = SURVIVORS.iter().any(|(end, _)| {
                            mutant
                                .name
                                .trim_end_matches(" altered")
                                .trim_end_matches(" dropped")
                                .ends_with(end)
                                || mutant.name.ends_with(end)
                        });
                        let excused = excused
                            || OTHER_CAPACITY
                                .iter()
                                .any(|(spec, end, _)| spec == name && mutant.name.ends_with(end));
                        if !excused && lives(&root, &modules, app, zip, &mutant) {
                            alive.lock().expect("the list").push(format!("{name}: {}", mutant.name));
                        }
                    }
                });
            }
        });
    }
    let alive = alive.into_inner().expect("the list");
    assert!(alive.is_empty(), "{} mutants survive:\n{}", alive.len(), alive.join("\n"));
}
