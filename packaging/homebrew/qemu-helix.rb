# SPDX-License-Identifier: GPL-2.0-or-later
#
# QEMU with the frame module, for Homebrew on a Mac. packaging/homebrew/make-tap puts this checkout's source in place of the two
# words between @. It has not been installed on a Mac yet.
#
# The 2D device alone: Homebrew's epoxy has no EGL, without which QEMU has no GL device. VideoToolbox encodes; libav is not needed.
class QemuHelix < Formula
  desc "QEMU whose guests may stream their desktop, encoded by VideoToolbox"
  homepage "https://www.qemu.org/"
  url "https://download.qemu.org/qemu-10.0.2.tar.xz"
  sha256 "ef786f2398cb5184600f69aef4d5d691efd44576a3cff4126d38d4c6fec87759"
  license "GPL-2.0-only"

  keg_only "it is QEMU, and would stand in the way of the formula qemu"

  depends_on "meson" => :build
  depends_on "ninja" => :build
  depends_on "pkgconf" => :build
  depends_on "python@3.13" => :build

  depends_on "dtc"
  depends_on "glib"
  depends_on "libslirp"
  depends_on :macos
  depends_on "pixman"
  depends_on "zstd"

  resource "module" do
    url "@SOURCE_URL@"
    sha256 "@SOURCE_SHA256@"
  end

  def install
    resource("module").stage(buildpath/"helix-module")
    system "python3.13", "helix-module/qemu/integrate", buildpath
    system "python3.13", "helix-module/qemu/integrate", buildpath, "--check"

    mkdir "build" do
      system "../configure", "--prefix=#{prefix}",
                             "--cc=#{ENV.cc}",
                             "--host-cc=#{ENV.cc}",
                             "--python=#{which("python3.13")}",
                             "--target-list=aarch64-softmmu,x86_64-softmmu",
                             "--disable-docs",
                             "--disable-guest-agent",
                             "--disable-opengl",
                             "--disable-virglrenderer",
                             "--disable-sdl",
                             "--disable-gtk",
                             "--enable-cocoa",
                             "--enable-fdt=system",
                             "--enable-pixman",
                             "--enable-slirp"
      system "ninja", "install"
    end
  end

  def caveats
    <<~EOS
      The emulators are #{opt_bin}/qemu-system-aarch64 and #{opt_bin}/qemu-system-x86_64.
      A guest may stream its desktop when they are started with:
        -device virtio-gpu-pci,helix-frame-export=on -device helix-vsock-pci,guest-cid=3
    EOS
  end

  test do
    %w[aarch64 x86_64].each do |target|
      help = shell_output("#{bin}/qemu-system-#{target} -device virtio-gpu-device,help")
      assert_match "helix-frame-export", help
      assert_match "helix-vsock-pci", shell_output("#{bin}/qemu-system-#{target} -device help")
    end
    assert_match "valid on disk", shell_output("codesign --verify --verbose #{bin}/qemu-system-aarch64 2>&1")
  end
end
