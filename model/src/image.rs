//! Container images: their tags, which are hashes of the input of a build, and the repository of an image.

use sha2::{Digest, Sha256};

use crate::checks::environment::Variables;
use crate::names;
use crate::scalar::Scalar;

/// The prefix of the tags that Tandem creates.
const TAG: &str = "tandem-";

/// The tag of an image: a hash of its context and of the build settings. `None` if one of these is not known.
pub fn tag(
    context: &str,
    args: Option<&Variables>,
    target: Option<&Scalar<String>>,
    architecture: &str,
    rebuild: Option<&Scalar<String>>,
) -> Option<String> {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    };
    add(context);
    add(architecture);
    for text in [target, rebuild] {
        add(text.map_or(Some(""), |text| text.known().map(String::as_str))?);
    }
    if let Some(args) = args {
        for (name, value) in args.known()? {
            add(name);
            add(value.known()?);
        }
    }
    Some(format!("{TAG}{}", hex::encode(&hash.finalize()[..8])))
}

/// Returns true for a tag that Tandem created.
pub fn is_ours(tag: &str) -> bool {
    tag.starts_with(TAG)
}

/// The slot of an image in its graph. It contains the tag: a new image is a new object, so the old image
/// stays until no object needs it.
pub fn slot(owner: &str, tag: &str) -> String {
    names::slot(&format!("{owner}_{}", tag.trim_start_matches(TAG)))
}

/// The ARN of the repository of an image in ECR; `None` for another registry.
pub fn repository_arn(image: &str) -> Option<String> {
    let (host, rest) = image.split_once('/')?;
    let mut parts = host.split('.');
    let (account, dkr, ecr, region) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if (dkr, ecr) != ("dkr", "ecr") {
        return None;
    }
    let repository = rest.split(['@', ':']).next()?;
    let partition = crate::partition::of_region(region).id;
    Some(format!("arn:{partition}:ecr:{region}:{account}:repository/{repository}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_goes_in_changes_the_tag() {
        let text = |text: &str| Scalar::Known(text.to_owned());
        let args = |value| Scalar::Known([("BASE".to_owned(), text(value))].into());
        let plain = tag("c", None, None, "x86_64", None);
        let others = [
            tag("d", None, None, "x86_64", None),
            tag("c", Some(&args("a")), None, "x86_64", None),
            tag("c", Some(&args("b")), None, "x86_64", None),
            tag("c", None, Some(&text("t")), "x86_64", None),
            tag("c", None, None, "arm64", None),
            tag("c", None, None, "x86_64", Some(&text("t"))),
        ];
        let mut all: Vec<_> = others.into_iter().chain([plain.clone()]).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 7);
        assert!(is_ours(&plain.expect("a tag")));
        assert_eq!(tag("c", None, Some(&Scalar::Unknown), "x86_64", None), None);
    }

    #[test]
    fn only_images_of_ecr_have_a_repository() {
        let arn = repository_arn("123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/ffmpeg:7@sha256:0");
        assert_eq!(arn.as_deref(), Some("arn:aws:ecr:eu-central-1:123456789012:repository/team/ffmpeg"));
        assert_eq!(repository_arn("public.ecr.aws/docker/library/debian:12"), None);
        assert_eq!(repository_arn("debian"), None);
    }
}
