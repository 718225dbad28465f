// Posts a file with Apache HttpClient 4. Usage: FILE URL
import java.io.File;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpPost;
import org.apache.http.entity.ContentType;
import org.apache.http.entity.mime.HttpMultipartMode;
import org.apache.http.entity.mime.MultipartEntityBuilder;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.util.EntityUtils;

public class ApacheUpload {
    public static void main(String[] arguments) throws Exception {
        HttpPost post = new HttpPost(arguments[1]);
        post.setEntity(MultipartEntityBuilder.create()
            .setMode(HttpMultipartMode.RFC6532)
            .addBinaryBody("file", new File(arguments[0]))
            .addTextBody("lang", "rus+eng", ContentType.TEXT_PLAIN)
            .build());
        try (CloseableHttpClient client = HttpClients.createDefault(); CloseableHttpResponse answer = client.execute(post)) {
            System.out.println(answer.getStatusLine().getStatusCode() + " " + EntityUtils.toString(answer.getEntity()));
        }
    }
}
