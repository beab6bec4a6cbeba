//! A minimal ELF file, as far as the checks of code read it.

/// A dynamically linked binary for a machine, e.g. 62 for x86-64, that needs versions of symbols. Each version
/// has flags: 2 for a weak one.
pub(crate) fn needing(machine: u8, versions: &[(&str, u16)]) -> Vec<u8> {
    let mut names = b"\0libc.so.6\0".to_vec();
    // One library: version of the format, number of versions, name, offset of the first version, no next library.
    let mut needs = Vec::new();
    needs.extend(1_u16.to_le_bytes());
    needs.extend(u16::try_from(versions.len()).expect("few versions").to_le_bytes());
    [1_u32, 16, 0].iter().for_each(|number| needs.extend(number.to_le_bytes()));
    for (index, (version, flags)) in versions.iter().enumerate() {
        let next: u32 = if index + 1 < versions.len() { 16 } else { 0 };
        needs.extend(0_u32.to_le_bytes());
        needs.extend(flags.to_le_bytes());
        needs.extend(2_u16.to_le_bytes());
        needs.extend(u32::try_from(names.len()).expect("short names").to_le_bytes());
        needs.extend(next.to_le_bytes());
        names.extend(version.bytes().chain([0]));
    }
    let sections = [
        section(0, 0, 0, 0),
        // SHT_GNU_verneed, with its names in section 2.
        section(0x6fff_fffe, 64, needs.len(), 2),
        // SHT_STRTAB.
        section(3, 64 + needs.len(), names.len(), 0),
    ];
    let mut file = vec![0; 64];
    file[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    file[16] = 3;
    file[18] = machine;
    file[20] = 1;
    file[40..48].copy_from_slice(&(64 + needs.len() + names.len()).to_le_bytes());
    file[52] = 64;
    file[58] = 64;
    file[60] = 3;
    file[62] = 2;
    [file, needs, names, sections.concat()].concat()
}

/// The header of a section.
fn section(kind: u32, offset: usize, size: usize, link: u32) -> Vec<u8> {
    let mut header = vec![0; 64];
    header[4..8].copy_from_slice(&kind.to_le_bytes());
    header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
    header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
    header[40..44].copy_from_slice(&link.to_le_bytes());
    header
}
