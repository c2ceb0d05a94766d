/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle
import Tests.Harness

/-!
# Answers that make no sense

The native library is not trusted, so neither is the form of what it says. Every way to spoil a
ball in an answer, and every field that can be missing, is an error when the answer is read.
-/

namespace Tests

open LeanOracle LeanOracle.Arb
open Lean (Json)

/-- Ways to write a ball wrongly. -/
def badBalls : List String := [
  "{\"mid\":\"1\",\"rad\":\"-1\",\"exp\":\"0\"}",
  "{\"mid\":\"1\",\"rad\":\"-0.5\",\"exp\":\"0\"}",
  "{\"mid\":\"1.5\",\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"1\",\"rad\":\"1\",\"exp\":\"0.5\"}",
  "{\"mid\":\"1e5\",\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"inf\",\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"nan\",\"rad\":\"nan\",\"exp\":\"0\"}",
  "{\"mid\":\"\",\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"-\",\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"--1\",\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"+1\",\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"1 \",\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"1_000\",\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"0x10\",\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":1,\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"1\",\"rad\":1,\"exp\":\"0\"}",
  "{\"mid\":\"1\",\"rad\":\"1\",\"exp\":0}",
  "{\"mid\":null,\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":[\"1\"],\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"rad\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"1\",\"exp\":\"0\"}",
  "{\"mid\":\"1\",\"rad\":\"1\"}",
  "{}", "[]", "null", "\"1 +/- 1\"", "1"]

/-- A well-formed ball, as it is written in answers. -/
def goodBall : String := "{\"mid\":\"-7\",\"rad\":\"2\",\"exp\":\"-3\"}"

/-- An interval of an answer, with its ball written as `ball`. -/
def interval (ball : String) : String :=
  s!"\{\"ball\":{ball},\"lo\":\"-0.009\",\"hi\":\"-0.005\"}"

/-- Whether a parser accepts a text. -/
def accepts (parse : Json → Except String α) (text : String) : Bool :=
  (Json.parse text >>= parse).toOption.isSome

/-- Every parser of answers that have balls, with a text that has one in the place of `ball`. -/
def parsers : List (String × (String → Bool) × (String → String)) := [
  ("parseMidRad10Exp", accepts parseMidRad10Exp, id),
  ("parseEnclosure", accepts parseEnclosure, interval),
  ("parseResult, input", accepts parseResult, fun ball =>
    s!"\{\"func\":\"f\",\"ctx\":\{\"prec_bits\":200,\"digits\":5},\"input\":\{\"ball\":{ball}},\
      \"output\":{interval goodBall},\"tight\":true,\"bits_used\":64}"),
  ("parseResult, output", accepts parseResult, fun ball =>
    s!"\{\"func\":\"f\",\"ctx\":\{\"prec_bits\":200,\"digits\":5},\"input\":\{\"ball\":{goodBall}},\
      \"output\":{interval ball},\"tight\":true,\"bits_used\":64}"),
  ("parseExprAnswer", accepts parseExprAnswer, fun ball =>
    s!"\{\"ctx\":\{\"prec_bits\":200,\"digits\":5},\"output\":{interval ball},\"level\":\"fast\",\
      \"gap\":\{\"lo\":null,\"hi\":\"1e-3\"},\"tight\":false}"),
  ("parseRootsAnswer", accepts parseRootsAnswer, fun ball =>
    s!"\{\"roots\":[\{\"place\":{interval ball},\"status\":\"unresolved\"}],\"complete\":false}"),
  ("parseVerdict", accepts (parseVerdict ["x"]), fun ball =>
    s!"\{\"verdict\":\"false\",\"witness\":\{\"x\":{interval ball}}}"),
  ("parseMLPResult", accepts parseMLPResult, fun ball =>
    s!"\{\"ctx\":\{\"prec_bits\":200,\"digits\":5},\
      \"output\":\{\"vector\":[{interval goodBall},{interval ball}]}}"),
  ("parseAnswer", accepts (parseAnswer (parseList parseEnclosure)), fun ball =>
    s!"\{\"output\":[{interval ball}],\"tight\":true,\"bits_used\":0}"),
  ("parseComplexRoot", accepts parseComplexRoot, fun ball =>
    s!"\{\"re\":{interval goodBall},\"im\":{interval ball},\"multiplicity\":1,\"real\":false}")]

def malformedTests : TestM Unit := do
  for (name, read, text) in parsers do
    check s!"{name} reads a good ball" (read (text goodBall)) (text goodBall)
    checkAll s!"{name} refuses bad balls" badBalls (fun ball => !read (text ball)) id
  -- every key of an answer is needed
  for (name, read, text) in parsers do
    let good := text goodBall
    let without (key : String) := good.replace s!"\"{key}\"" "\"?\""
    let keys := ["mid", "rad", "exp", "ball", "lo", "hi", "output", "ctx", "prec_bits", "digits",
      "tight", "bits_used", "func", "level", "gap", "status", "complete", "witness", "vector",
      "multiplicity", "real", "input", "roots", "place", "re", "im", "verdict", "x"].filter (without · != good)
    checkAll s!"{name} misses every key" keys (fun key => !read (without key)) id
  -- what was read satisfies the theorem
  for ball in [goodBall, "{\"mid\":\"0\",\"rad\":\"0\",\"exp\":\"-99999999999999999999\"}"] do
    check s!"{ball} is read well-formed"
      (match Json.parse ball >>= parseMidRad10Exp with
        | .ok b => decide b.WellFormed
        | .error _ => false)

end Tests
