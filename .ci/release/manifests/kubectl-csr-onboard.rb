# Homebrew's formula. A release renders it, with the archives' addresses and sums.
class KubectlCsrOnboard < Formula
  desc "Onboard users to Kubernetes clusters with client certificates"
  homepage "https://github.com/csr-onboard/kubectl-csr-onboard"
  version "{{ .Version }}"
  license "Apache-2.0"
{{ range $system := split "darwin linux" }}
  on_{{ if eq $system "darwin" }}macos{{ else }}linux{{ end }} do
{{- range $arch := split "amd64 arm64" }}{{ with $.For $system $arch }}
    on_{{ if eq $arch "amd64" }}intel{{ else }}arm{{ end }} do
      url "{{ .URI }}"
      sha256 "{{ .SHA256 }}"
    end
{{- end }}{{ end }}
  end
{{ end }}
  def install
    bin.install "kubectl-csr_onboard"
    bin.install "completions/kubectl_complete-csr_onboard"
    bash_completion.install "completions/kubectl-csr_onboard.bash" => "kubectl-csr_onboard"
    zsh_completion.install "completions/_kubectl-csr_onboard"
    fish_completion.install "completions/kubectl-csr_onboard.fish"
    man1.install Dir["man/man1/*.1"]
  end

  test do
    assert_match "kubectl csr-onboard v#{version}", shell_output("#{bin}/kubectl-csr_onboard version --client")
  end
end
