# Not run. A flake for Nix: `nix run github:OWNER/magistrate?dir=packaging/nix -- check -p spam TEXT`.
{
  description = "Classifies text against a written policy, on your own machine";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "aarch64-darwin" ];
      each = function: nixpkgs.lib.genAttrs systems (system: function nixpkgs.legacyPackages.${system});
      root = ../..;
    in {
      packages = each (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = "magistrate";
          version = (builtins.fromTOML (builtins.readFile (root + "/Cargo.toml"))).package.version;
          src = root;
          cargoLock.lockFile = root + "/Cargo.lock";
          buildFeatures = pkgs.lib.optional pkgs.stdenv.hostPlatform.isDarwin "metal";
          nativeBuildInputs = [ pkgs.cmake pkgs.rustPlatform.bindgenHook pkgs.installShellFiles ];
          # cmake is called by cargo, and not by Nix.
          dontUseCmakeConfigure = true;
          # A result is for many machines: an empty value replaces target-cpu=native.
          RUSTFLAGS = "";
          # The tests compile the C++ once more, and some of them need a network and a terminal.
          doCheck = false;
          postInstall = ''
            $out/bin/magistrate man --dir man1
            installManPage man1/*.1
            installShellCompletion --cmd magistrate \
              --bash <($out/bin/magistrate completions bash) \
              --zsh <($out/bin/magistrate completions zsh) \
              --fish <($out/bin/magistrate completions fish)
          '';
          meta = {
            description = "Classifies text against a written policy, on your own machine";
            license = pkgs.lib.licenses.asl20;
            mainProgram = "magistrate";
          };
        };
      });

      devShells = each (pkgs: {
        default = pkgs.mkShell {
          inputsFrom = [ self.packages.${pkgs.stdenv.hostPlatform.system}.default ];
          packages = [ pkgs.clippy pkgs.rustfmt ];
        };
      });
    };
}
