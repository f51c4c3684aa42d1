//! A new migration must reach the binary: `sqlx::migrate!` reads the folder when it is compiled.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
