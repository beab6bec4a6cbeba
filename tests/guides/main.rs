//! Runs the guides in `docs/guides`, and checks the snippets of READMEs. CONTRIBUTING.md describes the directives.

mod bad_guides;
mod guides;
mod page;
mod place;
mod run;
