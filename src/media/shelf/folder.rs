//! Blobs in a folder on this machine's disk.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use wapid_core::private;

use super::{drawer, placed_at};

/// Cheap to clone.
#[derive(Clone)]
pub struct Folder {
    home: PathBuf,
}

impl Folder {
    /// # Errors
    /// When it cannot be made.
    pub fn open(root: &Path, home: &str) -> io::Result<Self> {
        let home = root.join(home);
        private::make_folder(&home)?;
        Ok(Self { home })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.join(drawer(name)).join(name)
    }

    /// A power cut after this takes nothing of it.
    pub(super) fn place(&self, file: NamedTempFile, name: &str) -> io::Result<()> {
        file.as_file().sync_all()?;
        let path = self.path(name);
        let drawer = self.home.join(drawer(name));
        if !drawer.exists() {
            private::make_folder(&drawer)?;
            sync(&self.home)?;
        }
        file.persist(path)?;
        sync(&drawer)
    }

    pub(super) fn source(&self, name: &str) -> io::Result<File> {
        File::open(self.path(name))
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(problem) if problem.kind() != ErrorKind::NotFound => Err(problem),
            _ => Ok(()),
        }
    }

    pub(super) fn list(&self, after: Option<&str>, most: usize) -> io::Result<Vec<String>> {
        let from = after.map_or("", drawer);
        let mut found = Vec::new();
        for drawer in names(&self.home)?.into_iter().filter(|name| name.as_str() >= from) {
            let is_first = drawer == from;
            let blobs = names(&self.home.join(&drawer))?;
            let blobs = blobs.into_iter().filter(|name| placed_at(name).is_some());
            found.extend(blobs.filter(|name| !is_first || after.is_none_or(|after| name.as_str() > after)));
            if found.len() >= most {
                found.truncate(most);
                break;
            }
        }
        Ok(found)
    }
}

/// What a folder holds, in order; nothing where it is gone.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Makes what was put into a folder last. Where folders cannot be synced, files are all there is to do.
fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::shelf::new_name;
    use std::io::{Read as _, Write as _};
    use wapid_core::clock::At;

    #[test]
    fn a_blob_is_placed_found_and_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path(), "h").unwrap();
        let mut names: Vec<String> = (0..40).map(|n| new_name(At(1_000 + n))).collect();
        for name in &names {
            let mut file = NamedTempFile::new_in(root.path()).unwrap();
            file.write_all(name.as_bytes()).unwrap();
            folder.place(file, name).unwrap();
            let mut read = String::new();
            folder.source(name).unwrap().read_to_string(&mut read).unwrap();
            assert_eq!(&read, name);
        }
        // Somebody's own file is not ours.
        fs::write(folder.home.join(drawer(&names[0])).join("README"), "x").unwrap();
        let (mut listed, mut after) = (vec![], None);
        loop {
            let page = folder.list(after.as_deref(), 7).unwrap();
            assert!(page.len() <= 7);
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            listed.extend(page);
        }
        names.sort_by_key(|name| (drawer(name).to_owned(), name.clone()));
        assert_eq!(listed, names);
        folder.remove(&names[0]).unwrap();
        folder.remove(&names[0]).unwrap();
        assert_eq!(folder.source(&names[0]).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(folder.list(None, 100).unwrap().len(), 39);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_a_blob() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path(), "h").unwrap();
        let name = new_name(At(1));
        folder.place(NamedTempFile::new_in(root.path()).unwrap(), &name).unwrap();
        let mode = fs::metadata(folder.path(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
