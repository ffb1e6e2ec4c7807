// Command check reads docker-compose.yml with Compose's own loader and each Dockerfile with BuildKit's own parser, and
// fails on what they refuse. Usage: check ROOT
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func main() {
	root := os.Args[1]
	if err := checkDockerfile(filepath.Join(root, "infra/docker/Dockerfile")); err != nil {
		fail(err)
	}
	if err := checkCompose(filepath.Join(root, "docker-compose.yml")); err != nil {
		fail(err)
	}
}

// checkCompose validates against the schema and resolves references between services, volumes and networks.
func checkCompose(path string) error {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithOsEnv, cli.WithDotEnv)
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for name, service := range project.Services {
		if service.HealthCheck == nil && service.Restart != "no" {
			return fmt.Errorf("%s: service %s has no health check", path, name)
		}
	}
	fmt.Printf("docker-compose.yml: %d services, valid\n", len(project.Services))
	return nil
}

// checkDockerfile parses every instruction, stages and flags included.
func checkDockerfile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	tree, err := parser.Parse(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	stages, _, err := instructions.Parse(tree.AST, linter.New(&linter.Config{}))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, warning := range tree.Warnings {
		return fmt.Errorf("%s: %s", path, warning.Short)
	}
	fmt.Printf("infra/docker/Dockerfile: %d stages, valid\n", len(stages))
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
