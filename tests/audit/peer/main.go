// What Go's own transparency log code (golang.org/x/mod/sumdb: note, tlog) says of checkpoints and proofs.
// Standard input: {"vkey", "entries": [proof of an entry ...], "growth": [proof of growth ...]}, as `hookwarden audit
// prove` writes them. Standard output: a line for each, `accepted` or `refused: why`.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type state struct {
	Size       int64  `json:"size"`
	Root       string `json:"root"`
	Checkpoint string `json:"checkpoint"`
}

type input struct {
	Vkey    string `json:"vkey"`
	Entries []struct {
		Idx        int64    `json:"idx"`
		Leaf       []byte   `json:"leaf"`
		Checkpoint string   `json:"checkpoint"`
		Proof      []string `json:"proof"`
	} `json:"entries"`
	Growth []struct {
		From  state    `json:"from"`
		To    state    `json:"to"`
		Proof []string `json:"proof"`
	} `json:"growth"`
}

func hash(text string) (h tlog.Hash) {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(decoded) != len(h) {
		panic("not a hash: " + text)
	}
	copy(h[:], decoded)
	return h
}

func hashes(texts []string) []tlog.Hash {
	var out []tlog.Hash
	for _, text := range texts {
		out = append(out, hash(text))
	}
	return out
}

func open(signed string, verifier note.Verifier) (int64, tlog.Hash, error) {
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	return size, hash(lines[2]), err
}

func say(err error) {
	if err != nil {
		fmt.Println("refused:", err)
	} else {
		fmt.Println("accepted")
	}
}

func main() {
	var given input
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		panic(err)
	}
	verifier, err := note.NewVerifier(given.Vkey)
	if err != nil {
		panic(err)
	}
	for _, entry := range given.Entries {
		size, root, err := open(entry.Checkpoint, verifier)
		if err == nil {
			err = tlog.CheckRecord(hashes(entry.Proof), size, root, entry.Idx, tlog.RecordHash(entry.Leaf))
		}
		say(err)
	}
	for _, growth := range given.Growth {
		size, root, err := open(growth.To.Checkpoint, verifier)
		if err == nil {
			err = tlog.CheckTree(hashes(growth.Proof), size, root, growth.From.Size, hash(growth.From.Root))
		}
		say(err)
	}
}
