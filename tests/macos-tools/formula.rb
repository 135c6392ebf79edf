# SPDX-License-Identifier: GPL-2.0-or-later
#
# formula.rb FORMULA TREE [FAIL]: a stand-in for Homebrew, as far as our formula calls it. TREE is QEMU's source, unpacked; the
# module's archive is unpacked as brew would, and "system" runs python3 for real and prints every other command. With FAIL, a
# command that begins with it fails.
require "digest"
require "fileutils"
require "pathname"
require "tmpdir"

FORMULA, TREE, FAIL = ARGV


class Dsl
  attr_reader :values

  def initialize
    @values = { resources: {} }
  end

  %i[desc homepage url sha256 license keg_only].each do |name|
    define_method(name) { |value| @values[name] = value }
  end
end

class Formula
  class << self
    attr_reader :resources, :needs, :facts, :test_block

    def inherited(klass)
      super
      klass.instance_variable_set(:@resources, {})
      klass.instance_variable_set(:@needs, [])
      klass.instance_variable_set(:@facts, {})
      $formula = klass
    end

    %i[desc homepage url sha256 license keg_only].each do |name|
      define_method(name) { |value| @facts[name] = value }
    end

    def depends_on(what) = @needs << what

    def resource(name, &block)
      dsl = Dsl.new
      dsl.instance_eval(&block)
      @resources[name] = dsl.values
    end

    def test(&block) = @test_block = block
  end

  Staged = Struct.new(:values) do
    def stage(target)
      path = values.fetch(:url).delete_prefix("file://")
      raise "the archive has another digest" unless Digest::SHA256.file(path).hexdigest == values.fetch(:sha256)

      FileUtils.mkdir_p(target)
      raise "tar" unless Kernel.system("tar", "-C", target.to_s, "--strip-components=1", "-xf", path)
    end
  end

  def resource(name) = Staged.new(self.class.resources.fetch(name))
  def buildpath = Pathname.new(TREE)
  def prefix = Pathname.new("/opt/homebrew/Cellar/qemu-helix/10.0.2")
  def bin = prefix/"bin"
  def opt_bin = Pathname.new("/opt/homebrew/opt/qemu-helix/bin")
  def which(name) = Pathname.new("/opt/homebrew/bin")/name

  def mkdir(name, &block)
    FileUtils.mkdir_p(buildpath/name)
    Dir.chdir(buildpath/name, &block)
  end

  def system(*command)
    words = command.map(&:to_s)
    puts "system #{words.join(" ")}"
    raise "failed: #{words.first}" if FAIL && words.join(" ").start_with?(FAIL)
    return unless words.first.start_with?("python3")
    raise "failed: #{words.first}" unless Kernel.system("python3", *words.drop(1))
  end

  # ---- in its test block ----

  def shell_output(command)
    puts "shell #{command}"
    $answer
  end

  def assert_match(pattern, text) = (raise "no #{pattern}" unless text.include?(pattern))
end

class << ENV
  def cc = "clang"
end

load FORMULA
facts = $formula.facts
puts "#{$formula.name} #{facts[:url]} #{facts[:sha256]}"
puts "needs #{$formula.needs.map { |need| need.is_a?(Hash) ? need.keys.first : need }.join(" ")}"
formula = $formula.new
Dir.chdir(TREE) { formula.install }
puts formula.caveats
$answer = "helix-frame-export helix-vsock-pci valid on disk"
formula.instance_eval(&$formula.test_block)
$answer = "another QEMU"
begin
  formula.instance_eval(&$formula.test_block)
  abort "the formula's test accepts any QEMU"
rescue RuntimeError => e
  puts "test refuses another QEMU: #{e.message}"
end
