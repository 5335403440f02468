//! Runs a target without a fuzzer: over the inputs that were found, for coverage, or over the one that crashed it.
//!
//!     replay TARGET PATH...       tries the files at these paths; prints how often inputs came to what, as JSON
//!     replay --seeds TARGET PATH  writes the target's seeds into this folder

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};
use workflow_ops_fuzz::Target;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["--seeds", target, folder] => write_seeds(named(target)?, Path::new(folder)),
        [target, paths @ ..] if !paths.is_empty() => replay(named(target)?, paths),
        _ => anyhow::bail!("usage: replay TARGET PATH... | replay --seeds TARGET FOLDER"),
    }
}

fn named(name: &str) -> anyhow::Result<Target> {
    let mut targets = Target::ALL.into_iter();
    let found = targets.find(|target| target.name() == name);
    found.ok_or_else(|| anyhow::anyhow!("there is no target {name}"))
}

fn write_seeds(target: Target, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, data) in target.seeds() {
        fs::write(folder.join(name), data)?;
    }
    Ok(())
}

fn replay(target: Target, paths: &[&str]) -> anyhow::Result<()> {
    let mut came_to: BTreeMap<String, usize> = BTreeMap::new();
    for path in paths {
        for file in files(Path::new(path))? {
            let data = fs::read(&file)?;
            for outcome in target.try_out(&data) {
                *came_to.entry(outcome).or_default() += 1;
            }
        }
    }
    println!("{}", serde_json::to_string(&came_to)?);
    Ok(())
}

/// The file at a path, or the files of the folder there.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
