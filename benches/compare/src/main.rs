fn main() -> std::process::ExitCode {
    larder_compare::run()
}
