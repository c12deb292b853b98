# Not run. A formula for Homebrew, which builds from source. On macOS llama.cpp uses Metal.
# `sha256` is that of the source archive of the release; `brew fetch --build-from-source` prints it.
class Magistrate < Formula
  desc "Classifies text against a written policy, on your own machine"
  homepage "https://github.com/OWNER/magistrate"
  url "https://github.com/OWNER/magistrate/archive/refs/tags/v0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "Apache-2.0"

  depends_on "cmake" => :build
  depends_on "rust" => :build
  uses_from_macos "llvm" => :build # libclang

  def install
    # A bottle is for many machines: an empty value replaces target-cpu=native.
    ENV["RUSTFLAGS"] = ""
    features = OS.mac? ? ["--features", "metal"] : []
    system "cargo", "install", *std_cargo_args, *features
    generate_completions_from_executable(bin/"magistrate", "completions")
    system bin/"magistrate", "man", "--dir", man1
  end

  service do
    run [opt_bin/"magistrate", "serve"]
    keep_alive true
    log_path var/"log/magistrate.log"
    error_log_path var/"log/magistrate.log"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/magistrate --version")
    # 1 is the verdict "violation".
    assert_match "violation", shell_output("#{bin}/magistrate check -p spam 'WINNER!! Reply YES to claim'", 1)
  end
end
