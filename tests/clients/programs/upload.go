// Posts a file with net/http. Usage: FILE URL
package main

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
)

func main() {
	file, err := os.Open(os.Args[1])
	check(err)
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	part, err := writer.CreateFormFile("file", filepath.Base(os.Args[1]))
	check(err)
	_, err = io.Copy(part, file)
	check(err)
	check(writer.Close())
	answer, err := http.Post(os.Args[2], writer.FormDataContentType(), &form)
	check(err)
	body, err := io.ReadAll(answer.Body)
	check(err)
	fmt.Println(answer.StatusCode, string(body))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
