//! Every program computes what it has always computed, whatever runs it.

use std::process::Command;
use strata_apps::Scale;
use strata_apps::apps::ALL;

/// The checksums of each program: of a fiftieth of its usual work, and of the usual work.
const EXPECTED: [(&str, u64, u64); 9] = [
    ("frames", 0x3b26_53ff_594e_ffa1, 0xff59_7af9_7df1_92ea),
    ("kv-service", 0x3bee_f3da_bca3_c28f, 0xd64e_7bc1_2f83_dce9),
    ("log-pipeline", 0x4bef_a8a6_52f8_5509, 0xd36b_ef61_cb70_bf4b),
    ("routes", 0xfc69_6f4c_d236_2b2f, 0x017b_3f5c_b8d3_ae9e),
    ("script", 0x761f_4e12_8017_8d44, 0x0e4a_c9a0_2a7b_dc3a),
    ("search", 0x2a4d_37ac_cf2c_b52c, 0x15ab_7974_915e_f00e),
    ("syntax", 0xcbee_b08b_9c59_db1e, 0x17f2_9a82_7bc6_9c5f),
    ("tiles", 0x9c2a_1b0f_6732_54ee, 0xa2eb_db38_5936_8b69),
    ("wiki-threads", 0x0d00_90f1_dc17_651d, 0x80e6_2a93_42df_9945),
];

#[test]
fn a_fiftieth_of_the_usual_work_computes_the_same_as_ever() {
    let small = Scale::new(0.02).expect("it is in range");
    for (name, expected, _) in EXPECTED {
        assert_eq!(run(name, small), expected, "{name}: now {:016x}", run(name, small));
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes long where nothing is optimised")]
fn the_usual_work_computes_the_same_as_ever() {
    for (name, _, expected) in EXPECTED {
        assert_eq!(run(name, Scale::ONE), expected, "{name}");
    }
}

#[test]
fn the_table_knows_every_program() {
    assert!(EXPECTED.iter().map(|row| row.0).eq(ALL.iter().map(|row| row.0)));
}

fn run(name: &str, scale: Scale) -> u64 {
    let (_, app) = ALL.iter().find(|row| row.0 == name).expect("every program is in the table");
    app(scale)
}

/// The executables run on the allocator that the features pick; with System, as here, they print
/// what the same function returns within this process.
#[test]
fn executables_print_the_same_checksums() {
    let executables = [
        env!("CARGO_BIN_EXE_frames"),
        env!("CARGO_BIN_EXE_kv-service"),
        env!("CARGO_BIN_EXE_log-pipeline"),
        env!("CARGO_BIN_EXE_routes"),
        env!("CARGO_BIN_EXE_script"),
        env!("CARGO_BIN_EXE_search"),
        env!("CARGO_BIN_EXE_syntax"),
        env!("CARGO_BIN_EXE_tiles"),
        env!("CARGO_BIN_EXE_wiki-threads"),
    ];
    for (executable, (name, expected, _)) in executables.into_iter().zip(EXPECTED) {
        let output =
            Command::new(executable).args(["--scale", "0.02"]).output().expect("it starts");
        let printed = String::from_utf8(output.stdout).expect("it prints text");
        assert!(output.status.success(), "{name}: {printed}");
        assert!(printed.ends_with(&format!("checksum {expected:016x}\n")), "{name}: {printed}");
    }
}

#[test]
fn a_scale_that_is_none_is_refused_in_one_line() {
    for arguments in [&["--scale", "0"][..], &["--scale=-1"], &["--scale", "much"], &["more"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_tiles")).args(arguments).output();
        let output = output.expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
